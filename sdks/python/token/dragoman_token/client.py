"""The client: a connection that logs in and enters its rooms again when it breaks."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .backoff import Backoff
from .error import Result, TokenError
from .feed import Feed
from .frames import REPLY, Notification, decode, encode, notification
from .link import ConnectionLost, Link

Info = dict[str, Any]
"""What a client keeps with a user or a room, and what the gateway adds: `name`, for rooms `population`, `capacity`…"""


@dataclass(frozen=True)
class User:
    uid: int
    info: Info


@dataclass(frozen=True)
class Room:
    room_id: int
    info: Info


class TokenClient:
    """A connection of the token dialect, and the user who logged in on it.

    The connection is made by the first call. When it breaks it is made again: the client logs in anew and enters its
    rooms again. What is called meanwhile waits for that; what was under way fails with `ConnectionLost`. Every method
    raises `TokenError` where the gateway says no.

    `messages`: whether to be told of messages before the first `post`, too. `heartbeat`: how often to ask whether the
    gateway is there, in seconds; a connection without an answer until the next time is given up. `on_trouble` is told
    why the connection broke or could not be made again, each time; `on_reconnect` when it was made again, and the
    rooms are taken up again.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 5100,
        *,
        messages: bool = True,
        heartbeat: float = 30.0,
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_reconnect: Callable[[], None] | None = None,
    ) -> None:
        self._address = (host, port)
        self._messages = messages
        self._heartbeat = heartbeat
        self._on_trouble = on_trouble or (lambda error: None)
        self._link: Link[bytes, bytes] = Link(_Handler(self), backoff, on_trouble, on_reconnect)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._feed: Feed[Notification] = Feed()
        self._rooms: set[int] = set()
        self._account: tuple[str, str] | None = None
        self._sequence = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up. Iterations end."""
        await self._link.close()

    async def create_account(self, openid: str, openid_type: str, info: Info | None = None) -> User:
        """Makes an account for an openid. It does not log in."""
        return _user(await self._call(1, openid=openid, openid_type=openid_type, info=_text(info)))

    async def login(
        self, openid: str, openid_type: str, *, auto_create: bool = False, info: Info | None = None
    ) -> User:
        """Logs in; with `auto_create` makes the account where there is none."""
        await self._link.up()
        user = await self._log_in(openid, openid_type, auto_create, info)
        self._account = (openid, openid_type)
        self._rooms.clear()
        return user

    async def apply_for_token(self) -> int:
        """A token, with which rooms are made. It is good for a day, or as long as the gateway's `token_ttl`."""
        return int((await self._call(8)).token)

    async def create_room(self, token: int, info: Info | None = None, app_code: int = 0) -> Room:
        """Creates a room that belongs to the token's user. `info["name"]`, `section` and `description` are the room's."""
        return _room(await self._call(3, app_code=app_code, token=token, info=_text(info)))

    async def enter_room(self, room_id: int) -> Room:
        """Enters a room: what happens in it comes from now on, also after the connection broke."""
        room = _room(await self._call(4, room_id=room_id))
        self._rooms.add(room_id)
        return room

    async def rooms(self) -> list[int]:
        """The numbers of all open rooms."""
        rooms: list[int] = []
        while True:
            page = (await self._call(5, room_id=rooms[-1] if rooms else 0)).room_list.elements
            if not page:
                return rooms
            rooms.extend(page)

    async def leave_room(self, room_id: int) -> None:
        """Leaves a room."""
        self._rooms.discard(room_id)
        await self._call(6, room_id=room_id)

    async def leave_application(self) -> None:
        """Ends the login, and leaves every room."""
        self._account = None
        self._rooms.clear()
        await self._call(7)

    async def post(self, room_id: int, text: str) -> int:
        """Says something in a room that was entered; gives the message's id."""
        return int((await self._call(10, room_id=room_id, text=text)).message_id)

    def notifications(self) -> AsyncIterator[Notification]:
        """What the gateway tells by itself, the own messages too, from this call on."""
        return self._feed.read()

    async def _call(self, command: int, **fields: int | str) -> Any:
        await self._link.up()
        return await self._ask(command, **fields)

    async def _ask(self, command: int, **fields: int | str) -> Any:
        """Sends a request on the connection there is. Gives the body of its success."""
        # 0 is for what answers no request.
        self._sequence = self._sequence % 0xFFFF_FFFF + 1
        sequence = self._sequence
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = answer
        try:
            await self._link.send(encode(command, sequence, **fields))
            return await answer
        finally:
            self._waiting.pop(sequence, None)

    async def _log_in(self, openid: str, openid_type: str, auto_create: bool, info: Info | None) -> User:
        body = await self._ask(
            2, openid=openid, openid_type=openid_type, auto_create=int(auto_create), info=_text(info)
        )
        if self._messages:
            # a connection receives messages once it has used the command to post, even with an empty text.
            try:
                await self._ask(10, room_id=0, text="")
            except TokenError:
                pass
        return _user(body)

    async def _greet(self) -> None:
        if self._account is None:
            return
        await self._log_in(*self._account, auto_create=False, info=None)
        for room_id in sorted(self._rooms):
            try:
                await self._ask(4, room_id=room_id)
            except TokenError as error:
                # A room that is gone or full does not keep the client from the others.
                self._rooms.discard(room_id)
                self._on_trouble(error)

    def _receive(self, content: Any) -> None:
        if not content.command & REPLY:
            told = notification(content)
            if told is not None:
                self._feed.push(told)
            return
        answer = self._waiting.get(content.sequence)
        if content.result == Result.OK:
            if answer is not None and not answer.done():
                answer.set_result(content.body)
            return
        error = TokenError(int(content.result), content.body.reason.text)
        # With sequence 0 the gateway says why it hangs up.
        if answer is None:
            self._on_trouble(error)
        elif not answer.done():
            answer.set_exception(error)

    def _fail(self, why: ConnectionLost) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(why)


class _Socket:
    """One connection, cut into frames: what is sent is whole ones, what is received what is after their lengths."""

    def __init__(self, client: TokenClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._beats = asyncio.create_task(self._beat(client))

    async def send(self, message: bytes, /) -> None:
        try:
            self._writer.write(message)
            await self._writer.drain()
        except OSError as why:
            raise ConnectionLost(str(why)) from why

    async def receive(self) -> bytes:
        try:
            (length,) = struct.unpack(">I", await self._reader.readexactly(4))
            return await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as why:
            self._beats.cancel()
            raise ConnectionLost(f"the gateway hung up: {why}") from why

    async def close(self) -> None:
        self._beats.cancel()
        self._writer.close()

    async def _beat(self, client: TokenClient) -> None:
        """Hangs up when a heartbeat is not answered until the next would be due."""
        while True:
            await asyncio.sleep(client._heartbeat)
            try:
                await asyncio.wait_for(client._ask(9), client._heartbeat)
            except TokenError:
                continue
            except (ConnectionLost, TimeoutError):
                self._writer.close()
                return


class _Handler:
    """What the client does with its connection."""

    def __init__(self, client: TokenClient) -> None:
        self._client = client

    async def open(self) -> _Socket:
        try:
            reader, writer = await asyncio.open_connection(*self._client._address)
        except OSError as why:
            raise ConnectionLost(str(why)) from why
        return _Socket(self._client, reader, writer)

    async def greet(self) -> None:
        await self._client._greet()

    def message(self, message: bytes, /) -> None:
        self._client._receive(decode(message))

    def lost(self, why: ConnectionLost, /) -> None:
        self._client._fail(why)

    def closed(self, why: Exception | None, /) -> None:
        self._client._feed.end(why)

    def is_final(self, error: Exception, /) -> bool:
        return isinstance(error, TokenError) and not error.is_passing


def _user(body: Any) -> User:
    return User(body.uid, json.loads(body.info.text))


def _room(body: Any) -> Room:
    return Room(body.room_id, json.loads(body.info.text))


def _text(info: Info | None) -> str:
    """An info as it is sent: absent is empty."""
    return "" if info is None else json.dumps(info)
