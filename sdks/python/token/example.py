"""Makes an account and a room, says hello there, and shows what others say, in whatever dialect, until it has heard enough.

    python example.py [OPENID [ROOM_NAME [HOST:PORT [HOW_MANY]]]]
"""

import asyncio
import os
import sys

from dragoman_token import Message, TokenClient, TokenError


async def main(
    openid: str = f"ann-{os.getpid()}",
    name: str = f"tea-{os.getpid()}",
    address: str = "127.0.0.1:5100",
    how_many: str = "1",
) -> None:
    host, _, port = address.rpartition(":")
    async with TokenClient(
        host,
        int(port),
        on_trouble=lambda error: say(f"trying again: {error!r}"),
        on_reconnect=lambda: say("connected again"),
    ) as client:
        await client.create_account(openid, "wechat", {"name": openid})
        user = await client.login(openid, "wechat")
        say(f"signed in: {openid}")

        token = await client.apply_for_token()
        room = await client.create_room(token, {"name": name})
        entered = await client.enter_room(room.room_id)
        notifications = client.notifications()
        await client.post(room.room_id, f"hello from {openid}")
        say(f"said hello in: {entered.info['name']}")

        heard = 0
        async for told in notifications:
            if not isinstance(told, Message) or told.uid == user.uid:
                continue
            say(f"heard {told.uid}: {told.text}")
            await client.post(room.room_id, f"thanks for {told.text}")
            heard += 1
            if heard == int(how_many):
                break

        try:
            await client.enter_room(4_000_000_000)
        except TokenError as error:
            say(f"refused: TokenError {error.code}: {error.result}, {error.reason}")


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
