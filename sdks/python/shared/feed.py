"""What is pushed, for everyone who iterates over it: each from the moment it began to."""

import asyncio
from collections.abc import Callable
from typing import Generic, Self, TypeVar
from weakref import WeakSet

Item = TypeVar("Item")


class Entry(Generic[Item]):
    """One item, and for how many iterations it is still to be done with."""

    def __init__(self, item: Item, readers: int, taken: Callable[[], None]) -> None:
        self.item = item
        self._left = readers
        self._taken = taken

    def take(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._taken()


class Feed(Generic[Item]):
    def __init__(self) -> None:
        self._readers: WeakSet[Reader[Item]] = WeakSet()
        self._ended = False
        self._why: Exception | None = None

    def push(self, item: Item, taken: Callable[[], None] = lambda: None) -> None:
        """Calls `taken` when every iteration has asked for what comes after the item: its program is done with it."""
        readers = list(self._readers)
        entry = Entry(item, len(readers), taken)
        for reader in readers:
            reader.put(entry)
        if not readers:
            entry.take()

    def end(self, why: Exception | None) -> None:
        """Iterations end, after what was pushed before; with an error if there is one."""
        self._ended, self._why = True, why
        for reader in self._readers:
            reader.end(why)

    def read(self) -> "Reader[Item]":
        """All that is pushed from this call on. What is not taken yet is kept, however much it is."""
        reader: Reader[Item] = Reader()
        self._readers.add(reader)
        if self._ended:
            reader.end(self._why)
        return reader


class Reader(Generic[Item]):
    """An asynchronous iterator over what is pushed."""

    def __init__(self) -> None:
        self._entries: asyncio.Queue[Entry[Item] | None] = asyncio.Queue()
        self._last: Entry[Item] | None = None
        self._why: Exception | None = None

    def put(self, entry: Entry[Item]) -> None:
        self._entries.put_nowait(entry)

    def end(self, why: Exception | None) -> None:
        self._why = why
        self._entries.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        last, self._last = self._last, None
        if last is not None:
            last.take()
        entry = await self._entries.get()
        if entry is not None:
            self._last = entry
            return entry.item
        self._entries.put_nowait(None)
        raise self._why or StopAsyncIteration
