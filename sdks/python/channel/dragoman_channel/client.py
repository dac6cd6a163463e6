"""The client: signs in, anew where its token ran out, and listens by asking again and again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType, TracebackType
from typing import Any, Generic, Self, TypeVar
from uuid import uuid4

import httpx

from .backoff import Backoff
from .error import NO_SUCH_USER, NOT_SIGNED_IN, SERVER_ERROR, ChannelError
from .generated import AuthenticatedClient
from .generated.api.channel import (
    list_members,
    log_in,
    receive_direct,
    receive_from_channel,
    register,
    send_direct,
    send_to_channel,
    show_user,
)
from .generated.models import (
    ChannelMessage,
    Failure,
    Gap,
    ListMembersRequest,
    LogInRequest,
    ReceiveDirectRequest,
    ReceiveFromChannelRequest,
    RegisterRequest,
    SendDirectRequest,
    SendToChannelRequest,
    ShowUserRequest,
)
from .generated.types import UNSET, Response, Unset

Success = TypeVar("Success")


@dataclass(frozen=True)
class DirectMessage:
    """A message to this user."""

    sender: str
    msg: str


class ChannelClient:
    """A user of the channel API.

    Every method raises `ChannelError` where the gateway says no, and `httpx.HTTPError` where it cannot be reached. A
    request whose reply was lost is sent again, for `patience` seconds, and takes effect once.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:5004",
        headers: dict[str, str] | None = None,
        *,
        patience: float = 30.0,
    ) -> None:
        self._patience = patience
        self.api = AuthenticatedClient(
            base_url=base_url, headers=headers or {}, token="", prefix="", auth_header_name="token"
        )
        """For every operation as it was generated; `call` and `done` make errors of what they refuse."""
        self._account: tuple[str, str] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. The token stays valid."""
        await self.api.get_async_httpx_client().aclose()

    async def register(self, name: str, password: str) -> None:
        """Makes an account. It does not sign in."""
        body = RegisterRequest(name=name, password=password, password_repete=password)
        await self._patiently(self._keyed(register, body, None))

    async def login(self, name: str, password: str) -> None:
        """Signs in. Where the token runs out later, the client signs in anew by itself."""
        body = LogInRequest(name=name, password=password)
        reply = await self._patiently(lambda: log_in.asyncio_detailed(client=self.api, body=body))
        self.api.get_async_httpx_client().headers["token"] = reply.data.token
        self._account = (name, password)

    async def user_exists(self, name: str) -> bool:
        """Whether there is a user of this name."""
        try:
            await self.call(lambda: show_user.asyncio_detailed(client=self.api, body=ShowUserRequest(name=name)))
        except ChannelError as error:
            if error.code == NO_SUCH_USER:
                return False
            raise
        return True

    async def send(self, name: str, msg: str, key: str | None = None) -> None:
        """Sends a direct message, once. With the same `key` it is the same message for a day."""
        send = self._keyed(send_direct, SendDirectRequest(name=name, msg=msg), key)
        await self._patiently(send, with_token=True)

    async def send_to_channel(self, name: str, message: str, key: str | None = None) -> None:
        """Says something in a channel, once. Joins it, and makes it where there is none.

        With the same `key`, 1 to 200 bytes, it is the same message for a day.
        """
        send = self._keyed(send_to_channel, SendToChannelRequest(name=name, message=message), key)
        await self._patiently(send, with_token=True)

    def _keyed(self, operation: ModuleType, body: Any, key: str | None) -> Callable[[], Awaitable[Response[Any]]]:
        """An operation that takes effect once, however often it is done."""
        key = key or uuid4().hex

        async def send() -> Response[Any]:
            request = operation._get_kwargs(body=body)
            request["headers"] = request.get("headers", {}) | {"Idempotency-Key": key}
            response = await self.api.get_async_httpx_client().request(**request)
            return operation._build_response(client=self.api, response=response)  # type: ignore[no-any-return]

        return send

    async def _patiently(
        self, operation: Callable[[], Awaitable[Response[Failure | Success]]], *, with_token: bool = False
    ) -> Success:
        """Does an operation again while it fails for a reason that passes."""
        until = asyncio.get_running_loop().time() + self._patience
        backoff = Backoff()
        while True:
            try:
                return await (self.call(operation) if with_token else done(operation()))
            except (ChannelError, httpx.TransportError) as error:
                is_passing = not isinstance(error, ChannelError) or error.is_passing
                if not is_passing or asyncio.get_running_loop().time() > until:
                    raise
                await backoff.wait((error.retry_after or 0.0) if isinstance(error, ChannelError) else 0.0)

    async def members(self, name: str) -> list[str]:
        """The members of a channel."""
        body = ListMembersRequest(name=name)
        reply = await self.call(lambda: list_members.asyncio_detailed(client=self.api, body=body))
        return [user.name for user in reply.data.users]

    async def listen_to_channel(
        self,
        name: str,
        *,
        after: int | None = None,
        interval: float = 1.0,
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> AsyncIterator[ChannelMessage]:
        """The messages of a channel, the own ones too, as they come. Joins it.

        `after` is the cursor of an earlier reply; without it, what was not received yet is first. It asks every
        `interval` seconds, and goes on where the gateway is away for a while. `on_gap` is called before the messages
        that follow a gap: messages that are not kept any more.
        """

        # Without a cursor, the key has a request after a lost reply give the same messages.
        first = self._keyed(receive_from_channel, ReceiveFromChannelRequest(name=name), None)

        async def receive(cursor: int | None) -> _Page[ChannelMessage]:
            body = ReceiveFromChannelRequest(name=name, after=UNSET if cursor is None else cursor)
            later = partial(receive_from_channel.asyncio_detailed, client=self.api, body=body)
            reply = await self.call(first if cursor is None else later)
            return _Page(reply.data.messages, reply.data.cursor, reply.data.gap)

        async for message in _poll(receive, after, interval, backoff or Backoff(), on_trouble, on_gap):
            yield message

    async def listen(
        self,
        *,
        after: int | None = None,
        interval: float = 1.0,
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_gap: Callable[[Gap], None] | None = None,
    ) -> AsyncIterator[DirectMessage]:
        """Direct messages to this user, as they come."""

        first = self._keyed(receive_direct, ReceiveDirectRequest(), None)

        async def receive(cursor: int | None) -> _Page[DirectMessage]:
            body = ReceiveDirectRequest(after=UNSET if cursor is None else cursor)
            later = partial(receive_direct.asyncio_detailed, client=self.api, body=body)
            reply = await self.call(first if cursor is None else later)
            by_sender = reply.data.messages.additional_properties
            messages = [DirectMessage(name, text) for name, texts in by_sender.items() for text in texts]
            return _Page(messages, reply.data.cursor, reply.data.gap)

        async for message in _poll(receive, after, interval, backoff or Backoff(), on_trouble, on_gap):
            yield message

    async def call(self, operation: Callable[[], Awaitable[Response[Failure | Success]]]) -> Success:
        """What an operation that needs a token gives, after a new login where the token ran out."""
        try:
            return await done(operation())
        except ChannelError as error:
            if error.code != NOT_SIGNED_IN or self._account is None:
                raise
        await self.login(*self._account)
        return await done(operation())


async def done(call: Awaitable[Response[Failure | Success]]) -> Success:
    """Waits for a reply: a success, or raises `ChannelError`."""
    response = await call
    reply, status = response.parsed, int(response.status_code)
    after = response.headers.get("retry-after")
    retry_after = None if after is None else float(after)
    if isinstance(reply, Failure):
        raise ChannelError(reply.code.value, reply.msg, status, retry_after)
    if reply is None:
        raise ChannelError(SERVER_ERROR, f"HTTP status {status}", status, retry_after)
    return reply


Message = TypeVar("Message")


@dataclass(frozen=True)
class _Page(Generic[Message]):
    messages: list[Message]
    cursor: int
    gap: Gap | Unset


async def _poll(
    receive: Callable[[int | None], Awaitable[_Page[Message]]],
    cursor: int | None,
    interval: float,
    backoff: Backoff,
    on_trouble: Callable[[Exception], None] | None,
    on_gap: Callable[[Gap], None] | None,
) -> AsyncIterator[Message]:
    """Asks again and again, each time from where the last reply ended, so that a reply that is lost loses no message."""
    while True:
        try:
            page = await receive(cursor)
        except (ChannelError, httpx.TransportError) as error:
            if isinstance(error, ChannelError) and not error.is_passing:
                raise
            if on_trouble:
                on_trouble(error)
            await backoff.wait(error.retry_after or 0.0 if isinstance(error, ChannelError) else 0.0)
            continue
        backoff.reset()
        cursor = page.cursor
        if on_gap and isinstance(page.gap, Gap):
            on_gap(page.gap)
        for message in page.messages:
            yield message
        if not page.messages:
            await asyncio.sleep(interval)
