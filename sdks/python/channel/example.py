"""Registers, says hello in a channel, and shows what others say there, in whatever dialect, until it has heard enough.

    python example.py [NAME [CHANNEL [BASE_URL [HOW_MANY]]]]
"""

import asyncio
import os
import sys

from dragoman_channel import ChannelClient, ChannelError


async def main(
    name: str = f"ann-{os.getpid()}",
    channel: str = "TEST",
    base_url: str = "http://127.0.0.1:5004",
    how_many: str = "1",
) -> None:
    async with ChannelClient(base_url) as client:
        await client.register(name, "tea for two")
        await client.login(name, "tea for two")
        say(f"signed in: {name}")

        hello = f"hello from {name}"
        await client.send_to_channel(channel, hello)
        say(f"said hello in: {channel}")

        is_new, heard = False, 0
        async for message in client.listen_to_channel(
            channel, interval=0.2, on_trouble=lambda error: say(f"trying again: {error!r}")
        ):
            # A new member is given the last messages of a channel, too.
            is_new = is_new or (message.name, message.msg) == (name, hello)
            if message.name == name or not is_new:
                continue
            say(f"heard {message.name}: {message.msg}")
            await client.send_to_channel(channel, f"thanks for {message.msg}")
            heard += 1
            if heard == int(how_many):
                break

        try:
            await client.send("no user of this name", "hello?")
        except ChannelError as error:
            say(f"refused: ChannelError {error.code}: {error.reason}")


def say(line: str) -> None:
    print(line, flush=True)


asyncio.run(main(*sys.argv[1:]))
