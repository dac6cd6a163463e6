"""A text counts as received when the program has asked for the next one."""

import asyncio
import json
import unittest
from typing import Any, get_type_hints

from websockets.asyncio.server import ServerConnection, serve

from dragoman_ourchat import OurchatClient, Text
from dragoman_ourchat.messages import Sender

# The texts of this server are those of the default: numbers of users are numbers.
IS_DEFAULT = get_type_hints(Sender)["ocid"] is int

BACKLOG = [{"code": 0, "time": 1, "cid": cid, "sender": {"ocid": 2, "private_id": 1}, "msg": "hi"} for cid in (5, 7, 9)]


class Gateway:
    """Answers a login with three texts, and a status; what it was sent."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.connections: list[ServerConnection] = []

    def acknowledged(self) -> list[int]:
        return [request["cid"] for request in self.received if request["code"] == 17]

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        async for text in connection:
            request = json.loads(text)
            self.received.append(request)
            if request["code"] == 6:
                answer = {"code": 7, "time": 1, "state": 0, "status": 0, "ocid": 1}
                for message in [answer, *BACKLOG]:
                    await connection.send(json.dumps(message))
            elif request["code"] == 12:
                await connection.send(json.dumps({"code": 12, "time": 1, "status": 0}))


@unittest.skipUnless(IS_DEFAULT, "the numbers of users are texts")
class Receiving(unittest.IsolatedAsyncioTestCase):
    async def test_a_text_counts_when_the_program_asks_for_the_next(self) -> None:
        gateway = Gateway()
        async with serve(gateway.handle, "127.0.0.1", 0) as server:
            url = "ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
            reconnected = asyncio.Event()
            async with OurchatClient(url, on_reconnect=reconnected.set) as client:
                pushed = client.pushed()
                await client.login("ann@example.org", "tea for two")
                for cid in (5, 7):
                    message = await anext(pushed)
                    assert isinstance(message, Text)
                    self.assertEqual(message.cid, cid)
                await client.status()
                await client.status()
                self.assertEqual(gateway.acknowledged(), [0, 5], "7 is under way, and 9 waits")

                # The next login says it again, and what comes again is pushed once.
                await gateway.connections[0].close()
                await reconnected.wait()
                self.assertEqual(gateway.acknowledged(), [0, 5, 5])
                message = await anext(pushed)
                assert isinstance(message, Text)
                self.assertEqual(message.cid, 9)
                await client.status()
                await client.status()
                self.assertEqual(gateway.acknowledged(), [0, 5, 5, 7])

    async def test_without_an_iteration_a_text_counts_at_once(self) -> None:
        gateway = Gateway()
        async with serve(gateway.handle, "127.0.0.1", 0) as server:
            async with OurchatClient("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]) as client:
                await client.login("ann@example.org", "tea for two")
                await client.status()
                await client.status()
                self.assertEqual(gateway.acknowledged()[-1], 9)


if __name__ == "__main__":
    unittest.main()
