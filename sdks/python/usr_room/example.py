"""A user of an app says hello in a room; shows what others say there, in whatever dialect, until it has heard enough.

Killed and started again with the same arguments, it goes on where it was: what it keeps is in OPENID.notes.json until it
is done.

    python example.py [OPENID [ROOM [BASE_URL [HOW_MANY]]]]
"""

import asyncio
import os
import sys
from uuid import uuid4

from dragoman_usr_room import UsrRoomClient, UsrRoomError
from dragoman_usr_room.notes import Notes


async def main(
    openid: str = f"ann-{os.getpid()}",
    name: str = "TEST",
    base_url: str = "http://127.0.0.1:5001",
    how_many: str = "1",
) -> None:
    notes = Notes(f"{openid}.notes.json")
    async with UsrRoomClient(base_url) as client:
        await client.complete_user(openid, sex="1", preference=["tea"])
        say(f"signed in: {openid}")

        # Names of what is sent: sent again by the next run, it is the same.
        run = notes.get("run") or uuid4().hex
        notes.keep(run=run)
        found = [room.room_id for room in await client.search_rooms(name) if room.name == name]
        room = found[0] if found else await client.add_room(openid, name=name)
        await client.join_room(room, openid)
        if notes.get("cursor") is None:
            last = await client.messages(room, limit=1)
            notes.keep(cursor=last[0].id if last else 0)
        await client.send_message(room, openid, f"hello from {openid}", key=f"{run} hello")
        say(f"said hello in: {name}")

        heard = notes.get("heard", 0)
        async for message in client.listen(
            room,
            openid=openid,
            after=notes.get("cursor"),
            interval=0.2,
            on_trouble=lambda error: say(f"trying again: {error!r}"),
        ):
            if message.sender == openid:
                continue
            say(f"heard {message.sender}: {message.text}")
            await client.send_message(room, openid, f"thanks for {message.text}", key=f"{run} {message.id}")
            heard += 1
            notes.keep(cursor=message.id, heard=heard)
            if heard == int(how_many):
                break

        try:
            await client.join_room(4_000_000_000, openid)
        except UsrRoomError as error:
            say(f"refused: UsrRoomError {error.code}: {error.reason}")
    notes.forget()


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
