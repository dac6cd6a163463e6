"""The client: says what the app's users do, and listens by asking again and again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx

from .backoff import Backoff
from .error import UsrRoomError
from .generated import Client
from .generated.api.usr_room import (
    add_room,
    complete_user,
    join_room,
    list_messages,
    search_rooms,
    send_message,
)
from .generated.models import (
    AddRoomRequest,
    CompleteUserRequest,
    Failure,
    Gap,
    JoinRoomRequest,
    ListMessagesRequest,
    Room,
    SearchRoomsRequest,
    SendMessageRequest,
)
from .generated.types import UNSET, Response

Success = TypeVar("Success")


@dataclass(frozen=True)
class RoomMessage:
    """A message of a room, the same in both flavors."""

    id: int
    """Unique in the gateway, and increasing."""
    sender: str
    """Whose it is: an openid, or `@<handle>`."""
    text: str
    time: datetime


class UsrRoomClient:
    """An app whose users are in the rooms. It says which of them acts; passwords are not needed.

    Every method raises `UsrRoomError` where the gateway says no, and `httpx.HTTPError` where it cannot be reached. A
    request whose reply was lost is sent again, for `patience` seconds, and takes effect once.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:5001",
        headers: dict[str, str] | None = None,
        *,
        patience: float = 30.0,
    ) -> None:
        self._patience = patience
        self.api = Client(base_url=base_url, headers=headers or {})
        """For every operation as it was generated; `done` makes errors of what they refuse."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self.api.get_async_httpx_client().aclose()

    async def complete_user(
        self, openid: str, *, sex: str | None = None, preference: list[str] | None = None
    ) -> None:
        """Makes a user, or changes what is given of one."""
        body = CompleteUserRequest(openid=openid)
        if sex is not None:
            body.sex = sex
        if preference is not None:
            body.preference = preference
        await self._once(complete_user, body)

    async def add_room(self, openid: str, *, name: str = "", section: str = "", description: str = "") -> int:
        """Makes a room that belongs to this user. Gives its `room_id`."""
        body = AddRoomRequest(room_owner_id=openid, name=name, section=section, description=description)
        return int((await self._once(add_room, body)).room_id)

    async def join_room(self, room_id: int, openid: str) -> None:
        """Makes a user a member of a room; twice is as good as once."""
        body = JoinRoomRequest(room_id=room_id, openid=openid)
        await self._once(join_room, body)

    async def search_rooms(self, key: str) -> list[Room]:
        """Rooms by a number or by words, best first."""
        body = SearchRoomsRequest(key=key)
        return _list_in(await done(search_rooms.asyncio_detailed(client=self.api, body=body)), "rooms")

    async def send_message(self, room_id: int, openid: str, message: str, key: str | None = None) -> None:
        """A member says something in a room, once. With the same `key`, 1 to 200 bytes, it is the same message for a day."""
        body = SendMessageRequest(room_id=room_id, openid=openid, message=message)
        await self._once(send_message, body, key)

    async def _once(self, operation: ModuleType, body: Any, key: str | None = None) -> Any:
        """Does again what may not have been done, under one idempotency key."""
        key = key or uuid4().hex
        until = asyncio.get_running_loop().time() + self._patience
        backoff = Backoff()

        async def send() -> Response[Any]:
            request = operation._get_kwargs(body=body)
            request["headers"] = request.get("headers", {}) | {"Idempotency-Key": key}
            response = await self.api.get_async_httpx_client().request(**request)
            return operation._build_response(client=self.api, response=response)  # type: ignore[no-any-return]

        while True:
            try:
                return await done(send())
            except (UsrRoomError, httpx.TransportError) as error:
                is_passing = not isinstance(error, UsrRoomError) or error.is_passing
                if not is_passing or asyncio.get_running_loop().time() > until:
                    raise
                await backoff.wait((error.retry_after or 0.0) if isinstance(error, UsrRoomError) else 0.0)

    async def messages(
        self, room_id: int, *, openid: str | None = None, after: int | None = None, limit: int | None = None
    ) -> list[RoomMessage]:
        """Messages of a room, oldest first: the oldest after a message, or the newest."""
        messages, _ = await self._page(room_id, openid, after, limit)
        return messages

    async def _page(
        self, room_id: int, openid: str | None, after: int | None, limit: int | None
    ) -> tuple[list[RoomMessage], Gap | None]:
        body = ListMessagesRequest(
            room_id=room_id, openid=_given(openid), after=_given(after), limit=_given(limit)
        )
        # Its refusals are many types, and `done` cannot tell which of them is the success.
        detailed: Awaitable[Response[Any]] = list_messages.asyncio_detailed(client=self.api, body=body)
        reply = await done(detailed)
        return [_message(one) for one in _list_in(reply, "messages")], _gap_in(reply)

    async def listen(
        self,
        room_id: int,
        *,
        openid: str | None = None,
        after: int = 0,
        interval: float = 1.0,
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> AsyncIterator[RoomMessage]:
        """What is said in a room, as it comes.

        `openid` is who reads, needed where the room is closed; `after` the id of the last message that is known. It
        asks every `interval` seconds, and goes on where the gateway is away for a while. `on_gap` is called before the
        messages that follow a gap: messages that are not kept any more.
        """
        backoff = backoff or Backoff()
        while True:
            try:
                messages, gap = await self._page(room_id, openid, after, None)
            except (UsrRoomError, httpx.TransportError) as error:
                if isinstance(error, UsrRoomError) and not error.is_passing:
                    raise
                if on_trouble:
                    on_trouble(error)
                await backoff.wait((error.retry_after or 0.0) if isinstance(error, UsrRoomError) else 0.0)
                continue
            backoff.reset()
            if gap:
                after = max(after, gap.before - 1)
                if on_gap:
                    on_gap(gap)
            for message in messages:
                after = message.id
                yield message
            if not messages:
                await asyncio.sleep(interval)


async def done(call: Awaitable[Response[Failure | Success]]) -> Success:
    """Waits for a reply: a success, or raises `UsrRoomError`."""
    response = await call
    reply, status = response.parsed, int(response.status_code)
    after = response.headers.get("retry-after")
    # Flavor miniprogram has refusals without a reason: that there is nothing to list.
    reason = getattr(reply, "error", None)
    if reply is None or isinstance(reason, str):
        raise UsrRoomError(reason or f"HTTP status {status}", status, None if after is None else float(after))
    return reply  # type: ignore[return-value]


def _given(value: Any) -> Any:
    return UNSET if value is None else value


def _list_in(reply: Any, field: str) -> list[Any]:
    """The list of a reply. Flavor document: a field. Flavor miniprogram: the second of two, or nothing."""
    listed = reply[1] if isinstance(reply, list) else getattr(reply, field, None)
    return listed if isinstance(listed, list) else []


def _gap_in(reply: Any) -> Gap | None:
    """The gap of a reply. Flavor document: a field. Flavor miniprogram: a field of the first of two."""
    gap = getattr(reply[0] if isinstance(reply, list) else reply, "gap", None)
    return gap if isinstance(gap, Gap) else None


def _message(said: Any) -> RoomMessage:
    if hasattr(said, "openid"):
        sender, text, ms = said.openid, said.message, said.time
    else:
        sender, text, ms = said.user, said.content, said.time.date
    return RoomMessage(said.id, sender, text, datetime.fromtimestamp(ms / 1000, UTC))
