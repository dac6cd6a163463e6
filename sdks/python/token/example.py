"""Makes an account and a room, says hello there, and shows what others say, in whatever dialect, until it has heard enough.

Killed and started again with the same arguments, it goes on where it was: what it keeps is in OPENID.notes.json until it
is done.

    python example.py [OPENID [ROOM_NAME [HOST:PORT [HOW_MANY]]]]
"""

import asyncio
import os
import sys
from uuid import uuid4

from dragoman_token import Message, TokenClient, TokenError
from dragoman_token.notes import Notes


async def main(
    openid: str = f"ann-{os.getpid()}",
    name: str = f"tea-{os.getpid()}",
    address: str = "127.0.0.1:5100",
    how_many: str = "1",
) -> None:
    notes = Notes(f"{openid}.notes.json")
    host, _, port = address.rpartition(":")
    async with TokenClient(
        host,
        int(port),
        on_trouble=lambda error: say(f"trying again: {error!r}"),
        on_reconnect=lambda: say("connected again"),
    ) as client:
        user = await client.login(openid, "wechat", auto_create=True, info={"name": openid})
        say(f"signed in: {openid}")

        # Names of what is sent: sent again by the next run, it is the same.
        run = notes.get("run") or uuid4().hex
        notes.keep(run=run)
        room_id = notes.get("room_id")
        if room_id is None:
            token = await client.apply_for_token()
            room_id = (await client.create_room(token, {"name": name}, client_id=f"{run} room")).room_id
            notes.keep(room_id=room_id)
        notifications = client.notifications()
        entered = await client.enter_room(room_id, since=notes.get("cursor", 0))
        await client.post(room_id, f"hello from {openid}", client_id=f"{run} hello")
        say(f"said hello in: {entered.info['name']}")

        heard = notes.get("heard", 0)
        async for told in notifications:
            if not isinstance(told, Message) or told.uid == user.uid:
                continue
            say(f"heard {told.uid}: {told.text}")
            await client.post(room_id, f"thanks for {told.text}", client_id=f"{run} {told.message_id}")
            heard += 1
            notes.keep(cursor=told.message_id, heard=heard)
            if heard == int(how_many):
                break

        try:
            await client.enter_room(4_000_000_000)
        except TokenError as error:
            say(f"refused: TokenError {error.code}: {error.result}, {error.reason}")
    notes.forget()


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
