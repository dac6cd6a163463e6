"""What is pushed, for everyone who iterates over it: each from the moment it began to."""

import asyncio
from typing import Generic, Self, TypeVar
from weakref import WeakSet

Item = TypeVar("Item")


class Feed(Generic[Item]):
    def __init__(self) -> None:
        self._readers: WeakSet[Reader[Item]] = WeakSet()
        self._ended = False
        self._why: Exception | None = None

    def push(self, item: Item) -> None:
        for reader in self._readers:
            reader.put(item)

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
        self._items: asyncio.Queue[tuple[Item] | None] = asyncio.Queue()
        self._why: Exception | None = None

    def put(self, item: Item) -> None:
        self._items.put_nowait((item,))

    def end(self, why: Exception | None) -> None:
        self._why = why
        self._items.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        item = await self._items.get()
        if item is not None:
            return item[0]
        self._items.put_nowait(None)
        raise self._why or StopAsyncIteration
