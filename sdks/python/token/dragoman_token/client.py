"""The client: a connection that logs in and enters its rooms again when it breaks."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from .backoff import Backoff
from .error import Result, TokenError
from .feed import Feed
from .frames import REPLY, Gap, Message, Notification, decode, encode, notification
from .link import ConnectionLost, Link

Info = dict[str, Any]
"""What a client keeps with a user or a room, and what the gateway adds: `name`, for rooms `population`, `capacity`…"""


BEGIN_NOW = 2**53 - 1
"""What a client asks to catch up from that wants nothing of the past."""

CATCH_UP = 11

OUTCOME_UNKNOWN = "the outcome is unknown"
"""How the reason begins where the gateway failed at a moment when the request may have been done."""


@dataclass
class CatchingUp:
    """A room whose missed messages are on their way."""

    left: int
    """How many still follow the last reply."""
    more: bool
    cursor: int
    held: list[Message]
    """What was posted meanwhile."""
    done: "asyncio.Future[None] | None"
    """Of the last reply: all that follows it has come."""


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

    The connection is made by the first call. When it breaks it is made again: the client logs in anew, enters its
    rooms again and gets what was posted there meanwhile, each message once. What is called meanwhile waits for that. A
    `post` that was under way is repeated, and the gateway posts it once; other calls that were under way fail with
    `ConnectionLost`. Every method raises `TokenError` where the gateway says no.

    `messages`: whether to get messages before the first `post`, too. `heartbeat`: how often to ask whether the
    gateway is there, in seconds; a connection without an answer until the next time is given up.
    Calls `on_trouble` with the reason each time that the connection broke or could not be made again, and
    `on_reconnect` after it was made again and the rooms are taken up again.
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
        self._newest: dict[int, int] = {}
        """Up to which message those of a room have come."""
        self._catching_up: dict[int, CatchingUp] = {}
        self._patience = Backoff()
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

    async def create_room(
        self, token: int, info: Info | None = None, app_code: int = 0, client_id: str | None = None
    ) -> Room:
        """Creates a room that belongs to the token's user, once.

        `info["name"]`, `section` and `description` are the room's. Where the connection breaks before the answer, it is
        asked for again with the same `client_id`, as in `post`.
        """
        name = client_id or uuid4().hex
        return _room(await self._ask_once(13, app_code=app_code, token=token, client_id=name, info=_text(info)))

    async def enter_room(self, room_id: int, since: int | None = None) -> Room:
        """Enters a room: what happens in it comes from now on, and what is posted while the connection is broken.

        `since`: the id of a message; what was posted after it comes first. 0 for all that there is.
        """
        await self._link.up()
        if not self._messages:
            room = _room(await self._ask(4, room_id=room_id))
        else:
            if since is None and room_id in self._rooms:
                since = self._newest.get(room_id)
            room = await self._enter(room_id, since)
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

    async def post(self, room_id: int, text: str, client_id: str | None = None) -> int:
        """Says something in a room that was entered, once; gives the message's id.

        Where the connection breaks before the answer, it is sent again with the same `client_id`: a name for the
        message, 1 to 200 bytes, of the client's own. Sent again by another run of the program, it is the same message
        for a day.
        """
        name = client_id or uuid4().hex
        return int((await self._ask_once(12, room_id=room_id, client_id=name, text=text)).message_id)

    async def _ask_once(self, command: int, **fields: int | str) -> Any:
        """Sends a request that has a `client_id` until its outcome is known. Gives the body of its success."""
        while True:
            await self._link.up()
            try:
                return await self._ask(command, **fields)
            except ConnectionLost as why:
                self._on_trouble(why)
            except TokenError as error:
                if not error.reason.startswith(OUTCOME_UNKNOWN):
                    raise
                self._on_trouble(error)
                await self._patience.wait()

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
                if self._messages:
                    await self._enter(room_id, self._newest.get(room_id))
                else:
                    await self._ask(4, room_id=room_id)
            except TokenError as error:
                # A room that is gone or full does not keep the client from the others.
                self._rooms.discard(room_id)
                self._on_trouble(error)

    async def _enter(self, room_id: int, since: int | None) -> Room:
        """Enters a room, and catches up with what came after `since`, else with what comes from now on."""
        if since is None:
            since = int((await self._ask(CATCH_UP, room_id=room_id, after=BEGIN_NOW, limit=0)).cursor)
        self._newest[room_id] = since
        state = CatchingUp(0, True, since, [], None)
        self._catching_up[room_id] = state
        try:
            room = _room(await self._ask(4, room_id=room_id))
            while state.more:
                state.done = asyncio.get_running_loop().create_future()
                await self._ask(CATCH_UP, room_id=room_id, after=self._newest[room_id], limit=0)
                await state.done
            return room
        finally:
            if self._catching_up.get(room_id) is state:
                del self._catching_up[room_id]
                self._release(room_id, state)

    def _receive(self, content: Any) -> None:
        if not content.command & REPLY:
            told = notification(content)
            if isinstance(told, Message):
                self._hear(told)
            elif told is not None:
                self._feed.push(told)
            return
        if content.command == REPLY | CATCH_UP and content.result == Result.OK:
            self._begin_to_catch_up(content.body)
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

    def _begin_to_catch_up(self, body: Any) -> None:
        """The missed messages follow this reply at once; the others of the room wait for them."""
        state = self._catching_up.get(body.room_id)
        if state is None:
            return
        state.left, state.more, state.cursor = body.count, body.more == 1, body.cursor
        if body.gap_before:
            after = self._newest[body.room_id]
            self._feed.push(Gap(body.room_id, after, body.gap_before, body.gap_count or None))
        self._end_of_batch(body.room_id, state)

    def _hear(self, message: Message) -> None:
        state = self._catching_up.get(message.room_id)
        if state is not None and state.left == 0:
            state.held.append(message)
            return
        self._pass_on(message)
        if state is not None:
            state.left -= 1
            self._end_of_batch(message.room_id, state)

    def _end_of_batch(self, room_id: int, state: CatchingUp) -> None:
        if state.left > 0:
            return
        if not state.more:
            del self._catching_up[room_id]
            self._release(room_id, state)
        if state.done is not None and not state.done.done():
            state.done.set_result(None)

    def _release(self, room_id: int, state: CatchingUp) -> None:
        """What waited for the missed messages."""
        for message in state.held:
            self._pass_on(message)
        if not state.more:
            self._newest[room_id] = max(self._newest[room_id], state.cursor)

    def _pass_on(self, message: Message) -> None:
        """What is caught up with may come twice. Within a room, ids ascend."""
        if message.message_id > self._newest.get(message.room_id, -1):
            self._newest[message.room_id] = message.message_id
            self._feed.push(message)

    def _fail(self, why: ConnectionLost) -> None:
        for state in self._catching_up.values():
            # They come again on the next connection.
            state.held.clear()
            if state.done is not None and not state.done.done():
                state.done.set_exception(why)
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
