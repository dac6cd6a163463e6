"""A connection that is made again whenever it breaks."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from .backoff import Backoff

In = TypeVar("In")
InCo = TypeVar("InCo", covariant=True)
Out = TypeVar("Out")
OutContra = TypeVar("OutContra", contravariant=True)


class ConnectionLost(Exception):
    """The connection broke, or was closed, before there was an answer: whether it was done is unknown."""


class Wire(Protocol[InCo, OutContra]):
    """One connection."""

    async def send(self, message: OutContra, /) -> None: ...

    async def receive(self) -> InCo:
        """The next message. Raises `ConnectionLost` when there will be none."""

    async def close(self) -> None: ...


class Handler(Protocol[In, OutContra]):
    """What is done with a connection."""

    async def open(self) -> Wire[In, OutContra]:
        """Makes one. Raises where that is not possible now."""

    async def greet(self) -> None:
        """Logs in and takes rooms up again: each time a connection is open, before `up` returns."""

    def message(self, message: In, /) -> None: ...

    def lost(self, why: ConnectionLost, /) -> None:
        """A connection has ended: nothing that was asked on it will be answered."""

    def closed(self, why: Exception | None, /) -> None:
        """There will be no further connection. `why` is None where that was wanted."""

    def is_final(self, error: Exception, /) -> bool:
        """Whether what `open` or `greet` raised will be the same next time. The link is then closed."""


class Link(Generic[In, Out]):
    """The connection there is, or the next one."""

    def __init__(
        self,
        handler: Handler[In, Out],
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_reconnect: Callable[[], None] | None = None,
    ) -> None:
        self._handler = handler
        self._backoff = backoff or Backoff()
        self._on_trouble = on_trouble or (lambda error: None)
        self._on_reconnect = on_reconnect or (lambda: None)
        self._wire: Wire[In, Out] | None = None
        self._greeted: Wire[In, Out] | None = None
        self._up: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._why_closed: Exception | None = None

    async def up(self) -> None:
        """Returns when there is a connection that was greeted. Makes the first one; raises where that fails, or once the link is closed."""
        if self._up is None and self._why_closed is None:
            self._up = asyncio.create_task(self._first())
        if self._up is not None and self._why_closed is None:
            await asyncio.shield(self._up)
        if self._why_closed is not None:
            raise self._why_closed

    async def send(self, message: Out) -> None:
        """Sends on the connection that there is."""
        if self._wire is None:
            raise ConnectionLost("there is no connection")
        await self._wire.send(message)

    async def close(self) -> None:
        """Ends it, for good."""
        if self._why_closed is None:
            self._end(ConnectionLost("closed"), wanted=True)
            if self._up is not None:
                self._up.cancel()
        if self._wire is not None:
            await self._wire.close()
        if self._reader is not None:
            await self._reader

    async def _first(self) -> None:
        try:
            await self._attempt()
        except BaseException:
            self._up = None
            raise

    async def _attempt(self) -> None:
        wire = await self._handler.open()
        self._wire = wire
        self._reader = asyncio.create_task(self._read(wire))
        try:
            await self._handler.greet()
            if self._wire is not wire:
                raise ConnectionLost("it ended at once")
        except BaseException:
            await wire.close()
            raise
        self._greeted = wire
        self._backoff.reset()

    async def _read(self, wire: Wire[In, Out]) -> None:
        try:
            while True:
                self._handler.message(await wire.receive())
        except Exception as error:
            why = error if isinstance(error, ConnectionLost) else ConnectionLost(f"what came cannot be read: {error!r}")
            if why is not error:
                await wire.close()
            self._wire = None
            self._handler.lost(why)
            if self._greeted is wire and self._why_closed is None:
                self._on_trouble(why)
                self._up = asyncio.create_task(self._retry())

    async def _retry(self) -> None:
        while True:
            await self._backoff.wait()
            try:
                await self._attempt()
                break
            except Exception as error:
                if self._handler.is_final(error):
                    self._end(error, wanted=False)
                    return
                self._on_trouble(error)
        self._on_reconnect()

    def _end(self, why: Exception, wanted: bool) -> None:
        self._why_closed = why
        self._handler.closed(None if wanted else why)
