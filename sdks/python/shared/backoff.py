"""How long to wait between attempts that fail: longer each time, and not all clients at once."""

import asyncio
import random


class Backoff:
    """Waits of `first` seconds, then twice as long each time up to `longest`, each less up to a half by chance."""

    def __init__(self, first: float = 0.25, longest: float = 15.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    async def wait(self, least: float = 0.0) -> None:
        """Waits for the next time, at least so many seconds."""
        seconds = self._next * random.uniform(0.5, 1.0)
        self._next = min(self._next * 2, self._longest)
        await asyncio.sleep(max(seconds, least))

    def reset(self) -> None:
        """It worked: the next wait is the first again."""
        self._next = self._first
