"""Registers two accounts, makes a group of both, says hello there, and shows what comes, in whatever dialect it was said.

Ends when it has heard enough. Groups are closed: to answer, be the friend, NAME-friend with the same password.

Killed and started again with the same arguments, it goes on where it was: what it keeps is in NAME.notes.json until it
is done.

    python example.py [NAME [GROUP [URL [HOW_MANY]]]]
"""

import asyncio
import os
import sys
from uuid import uuid4

from dragoman_ourchat import Group, Ocid, OurchatClient, OurchatError, Text
from dragoman_ourchat.notes import Notes


async def main(
    name: str = f"ann-{os.getpid()}",
    group: str = f"tea-{os.getpid()}",
    url: str = "ws://127.0.0.1:7777",
    how_many: str = "1",
) -> None:
    notes = Notes(f"{name}.notes.json")
    async with OurchatClient(
        url,
        on_trouble=lambda error: say(f"trying again: {error!r}"),
        on_reconnect=lambda: say("connected again"),
    ) as client:
        friend = None if notes.get("group_id") else await sign_in(client, f"{name}-friend")
        pushed = client.pushed()
        ocid = await sign_in(client, name)
        say(f"signed in: {name}")

        # Names of what is sent: sent again by the next run, it is the same.
        run = notes.get("run") or uuid4().hex
        notes.keep(run=run)
        if friend is not None:
            group_id = await client.create_group([friend], group, client_id=f"{run} group")
            hello = await client.send(Group(group_id), f"hello from {name}", client_id=f"{run} hello")
            notes.keep(group_id=group_id, cursor=hello.cid)
        group_id, cursor = notes.get("group_id"), notes.get("cursor")
        say(f"said hello in: {group}#{group_id}")

        heard = notes.get("heard", 0)
        async for message in pushed:
            # What it had not asked to go on from comes again.
            if not isinstance(message, Text) or message.sender.ocid == ocid or message.cid <= cursor:
                continue
            say(f"heard {message.sender.ocid}: {message.msg}")
            await client.send(Group(group_id), f"thanks for {message.msg}", client_id=f"{run} {message.cid}")
            heard, cursor = heard + 1, message.cid
            notes.keep(cursor=cursor, heard=heard)
            if heard == int(how_many):
                break

        try:
            await client.send(Group(4_000_000_000), "hello?")
        except OurchatError as error:
            say(f"refused: OurchatError {error.code}: {error.details}")
    notes.forget()


async def sign_in(client: OurchatClient, name: str) -> Ocid:
    email = f"{name}@example.org"
    try:
        return await client.register(email, "tea for two", name)
    except OurchatError as error:
        if (error.code, error.state) != (5, 2):  # The email is taken.
            raise
    return await client.login(email, "tea for two")


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
