"""Registers, says hello in a room, and shows what others say there, in whatever dialect, until it has heard enough.

Killed and started again with the same arguments, it goes on where it was: what it keeps is in NAME.notes.json until it
is done.

    python example.py [NAME [ROOM [BASE_URL [WEBSOCKET_URL [HOW_MANY]]]]]
"""

import asyncio
import os
import sys
import zlib
from uuid import uuid4

from dragoman_chatroom import ChatroomClient, ChatroomError, ServerMsg
from dragoman_chatroom.notes import Notes


async def main(
    name: str = f"ann-{os.getpid()}",
    room: str = "TEST",
    base_url: str = "http://127.0.0.1:5000",
    websocket_url: str = "ws://127.0.0.1:2333",
    how_many: str = "1",
) -> None:
    notes = Notes(f"{name}.notes.json")
    async with ChatroomClient(
        base_url,
        websocket_url,
        on_trouble=lambda error: say(f"trying again: {error!r}"),
        on_reconnect=lambda: say("connected again"),
    ) as client:
        # A number of its own: an account signs in by it.
        tel = 10_000_000_000 + zlib.crc32(name.encode())
        try:
            await client.register(tel, name, "tea for two")
        except ChatroomError as error:
            if error.code != "user exist":
                raise
        await client.login(tel, "tea for two")
        say(f"signed in: {name}")

        if room not in [one.name for one in await client.rooms()]:
            await client.create_room(room)
        # Names of what is sent: sent again by the next run, it is the same.
        run = notes.get("run") or uuid4().hex
        notes.keep(run=run)
        await client.join(room)
        cursor = notes.get("cursor")
        if cursor is None:
            cursor = await client.say(room, f"hello from {name}", client_id=f"{run} hello")
            notes.keep(cursor=cursor)
        packets = client.packets()
        await client.join(room, since=cursor)
        say(f"said hello in: {room}")

        heard = notes.get("heard", 0)
        async for packet in packets:
            if not isinstance(packet, ServerMsg):
                continue
            data = packet.data
            if not isinstance(data.id, int) or data.id <= cursor:
                continue
            cursor = data.id
            if data.user.user_name == name:
                continue
            say(f"heard {data.user.user_name}: {data.msg}")
            await client.say(room, f"thanks for {data.msg}", client_id=f"{run} {cursor}")
            heard += 1
            notes.keep(cursor=cursor, heard=heard)
            if heard == int(how_many):
                break

        try:
            await client.take_seat("no room of this name")
        except ChatroomError as error:
            say(f"refused: ChatroomError {error.code}: by HTTP {error.status}")
    notes.forget()


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
