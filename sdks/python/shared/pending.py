"""Requests that wait for their answers, in the order in which they were sent."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Message = TypeVar("Message")


class Pending(Generic[Message]):
    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[Message], bool], asyncio.Future[Message]]] = []

    def answer(self, fits: Callable[[Message], bool]) -> asyncio.Future[Message]:
        """The first message that fits and that no earlier request took."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.append((fits, future))
        return future

    def take(self, message: Message) -> bool:
        """Whether the message is the answer to a request."""
        for at, (fits, future) in enumerate(self._waiting):
            if fits(message):
                del self._waiting[at]
                # The caller may have stopped waiting.
                if not future.done():
                    future.set_result(message)
                return True
        return False

    def refuse(self, why: Exception) -> bool:
        """The oldest request was refused. Whether there was one."""
        if not self._waiting:
            return False
        _, future = self._waiting.pop(0)
        if not future.done():
            future.set_exception(why)
        return True

    def fail(self, why: Exception) -> None:
        """None will be answered any more."""
        while self.refuse(why):
            pass
