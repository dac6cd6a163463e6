"""Registers, says hello in a room, and shows what others say there, in whatever dialect, until it has heard enough.

    python example.py [NAME [ROOM [BASE_URL [WEBSOCKET_URL [HOW_MANY]]]]]
"""

import asyncio
import os
import sys
import time

from dragoman_chatroom import ChatroomClient, ChatroomError, ServerMsg


async def main(
    name: str = f"ann-{os.getpid()}",
    room: str = "TEST",
    base_url: str = "http://127.0.0.1:5000",
    websocket_url: str = "ws://127.0.0.1:2333",
    how_many: str = "1",
) -> None:
    async with ChatroomClient(
        base_url,
        websocket_url,
        on_trouble=lambda error: say(f"trying again: {error!r}"),
        on_reconnect=lambda: say("connected again"),
    ) as client:
        tel = time.time_ns() // 1000
        await client.register(tel, name, "tea for two")
        await client.login(tel, "tea for two")
        say(f"signed in: {name}")

        if room not in [one.name for one in await client.rooms()]:
            await client.create_room(room)
        await client.join(room)
        packets = client.packets()
        await client.say(room, f"hello from {name}")
        say(f"said hello in: {room}")

        heard = 0
        async for packet in packets:
            data = packet.data
            if not isinstance(packet, ServerMsg) or data.user.user_name == name:
                continue
            say(f"heard {data.user.user_name}: {data.msg}")
            await client.say(room, f"thanks for {data.msg}")
            heard += 1
            if heard == int(how_many):
                break

        try:
            await client.take_seat("no room of this name")
        except ChatroomError as error:
            say(f"refused: ChatroomError {error.code}: by HTTP {error.status}")


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
