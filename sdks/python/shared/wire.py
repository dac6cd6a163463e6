"""JSON over a WebSocket, as a wire of a link."""

from typing import Generic, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from .link import ConnectionLost

In = TypeVar("In")
Out = TypeVar("Out", contravariant=True)


class JsonWire(Generic[In, Out]):
    """One WebSocket. It is pinged every 20 seconds, and given up where that is not answered."""

    def __init__(self, socket: ClientConnection, decoder: msgspec.json.Decoder[In]) -> None:
        self._socket = socket
        self._decoder = decoder

    @classmethod
    async def open(cls, url: str, headers: dict[str, str], decoder: msgspec.json.Decoder[In]) -> "JsonWire[In, Out]":
        try:
            socket = await connect(url, additional_headers=headers, max_size=None)
        except (OSError, WebSocketException) as why:
            raise ConnectionLost(f"{url}: {why}") from why
        return cls(socket, decoder)

    async def send(self, message: Out, /) -> None:
        try:
            await self._socket.send(msgspec.json.encode(message).decode())
        except ConnectionClosed as why:
            raise ConnectionLost(str(why)) from why

    async def receive(self) -> In:
        while True:
            try:
                return self._decoder.decode(await self._socket.recv())
            except ConnectionClosed as why:
                raise ConnectionLost(str(why)) from why
            except msgspec.ValidationError:
                # A message of a newer gateway, that this package does not know.
                continue

    async def close(self) -> None:
        await self._socket.close()
