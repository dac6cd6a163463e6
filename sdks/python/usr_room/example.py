"""A user of an app says hello in a room; shows what others say there, in whatever dialect, until it has heard enough.

    python example.py [OPENID [ROOM [BASE_URL [HOW_MANY]]]]
"""

import asyncio
import os
import sys

from dragoman_usr_room import UsrRoomClient, UsrRoomError


async def main(
    openid: str = f"ann-{os.getpid()}",
    name: str = "TEST",
    base_url: str = "http://127.0.0.1:5001",
    how_many: str = "1",
) -> None:
    async with UsrRoomClient(base_url) as client:
        await client.complete_user(openid, sex="1", preference=["tea"])
        say(f"signed in: {openid}")

        found = [room.room_id for room in await client.search_rooms(name) if room.name == name]
        room = found[0] if found else await client.add_room(openid, name=name)
        await client.join_room(room, openid)
        last = await client.messages(room, limit=1)
        await client.send_message(room, openid, f"hello from {openid}")
        say(f"said hello in: {name}")

        heard = 0
        async for message in client.listen(
            room,
            openid=openid,
            after=last[0].id if last else 0,
            interval=0.2,
            on_trouble=lambda error: say(f"trying again: {error!r}"),
        ):
            if message.sender == openid:
                continue
            say(f"heard {message.sender}: {message.text}")
            await client.send_message(room, openid, f"thanks for {message.text}")
            heard += 1
            if heard == int(how_many):
                break

        try:
            await client.join_room(4_000_000_000, openid)
        except UsrRoomError as error:
            say(f"refused: UsrRoomError {error.code}: {error.reason}")


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
