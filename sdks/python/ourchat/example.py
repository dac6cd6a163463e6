"""Registers two accounts, makes a group of both, says hello there, and shows what comes, in whatever dialect it was said.

Ends when it has heard enough. Groups are closed: to answer, be the friend, NAME-friend with the same password.

    python example.py [NAME [GROUP [URL [HOW_MANY]]]]
"""

import asyncio
import os
import sys

from dragoman_ourchat import Group, OurchatClient, OurchatError, Text


async def main(
    name: str = f"ann-{os.getpid()}",
    group: str = f"tea-{os.getpid()}",
    url: str = "ws://127.0.0.1:7777",
    how_many: str = "1",
) -> None:
    async with OurchatClient(
        url,
        on_trouble=lambda error: say(f"trying again: {error!r}"),
        on_reconnect=lambda: say("connected again"),
    ) as client:
        friend = await client.register(f"{name}-friend@example.org", "tea for two", f"{name}-friend")
        await client.register(f"{name}@example.org", "tea for two", name)
        ocid = await client.login(f"{name}@example.org", "tea for two")
        say(f"signed in: {name}")

        group_id = await client.create_group([friend], group)
        pushed = client.pushed()
        await client.send(Group(group_id), f"hello from {name}")
        say(f"said hello in: {group}#{group_id}")

        heard = 0
        async for message in pushed:
            if not isinstance(message, Text) or message.sender.ocid == ocid:
                continue
            say(f"heard {message.sender.ocid}: {message.msg}")
            await client.send(Group(group_id), f"thanks for {message.msg}")
            heard += 1
            if heard == int(how_many):
                break

        try:
            await client.send(Group(4_000_000_000), "hello?")
        except OurchatError as error:
            say(f"refused: OurchatError {error.code}: {error.details}")


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
