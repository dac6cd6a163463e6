"""The client: accounts and rooms over HTTP, talk over a WebSocket that is made again when it breaks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from .backoff import Backoff
from .error import ChatroomError
from .feed import Feed
from .generated import Client
from .generated.api.chatroom import create_room, list_rooms, login, register, visit_room
from .generated.models import (
    Account,
    ChatroomCreateSuccessfully,
    CreateRoomRequest,
    JoinChatroom,
    LeaveChatroom,
    LoggedIn,
    LoginRequest,
    RegisterRequest,
    RegisterSuccessfully,
    Room,
    ListedRooms,
    VisitRoomRequest,
    VisitRoomRequestStatus,
)
from .generated.types import Response
from .link import ConnectionLost, Link
from .packets import (
    ClientJoin,
    ClientLeave,
    ClientMsg,
    FromClient,
    FromServer,
    Given,
    GivenJoin,
    GivenMsg,
    GivenUser,
    ServerError,
    ServerMsg,
    ServerUser,
)
from .pending import Pending
from .wire import JsonWire

Packet = ServerMsg | ServerUser
"""A pushed event: a message, or a member who came or went."""

Success = TypeVar("Success")


class ChatroomClient:
    """A client of the chatroom: an account, or a guest.

    The WebSocket is opened by the first `join`. When it breaks it is made again: the client logs in anew and joins its
    rooms again. What is called meanwhile waits for that; what was under way fails with `ConnectionLost`. Every method
    raises `ChatroomError` where the gateway says no, and `httpx.HTTPError` or `ConnectionLost` where it cannot be reached.

    `on_trouble` is told why the connection broke or could not be made again, each time; `on_reconnect` when it was made
    again, and the rooms are taken up again. `headers` go with every request and the WebSocket's handshake.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:5000",
        websocket_url: str = "ws://127.0.0.1:2333",
        *,
        headers: dict[str, str] | None = None,
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_reconnect: Callable[[], None] | None = None,
    ) -> None:
        self.api = Client(base_url=base_url, headers=headers or {})
        """For every operation of the HTTP part as it was generated; `done` makes errors of what they refuse."""
        self._url = websocket_url
        self._headers = headers or {}
        self._on_trouble = on_trouble or (lambda error: None)
        self._link: Link[FromServer, FromClient] = Link(_Handler(self), backoff, on_trouble, on_reconnect)
        self._pending: Pending[FromServer] = Pending()
        self._feed: Feed[Packet] = Feed()
        self._rooms: set[str] = set()
        self._account: tuple[int, str] | None = None
        self._name: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up. Iterations end."""
        await self._link.close()
        await self.api.get_async_httpx_client().aclose()

    @property
    def name(self) -> str:
        """Who this is."""
        if self._name is None:
            raise RuntimeError("not logged in: call login or be_guest first")
        return self._name

    async def register(self, tel: int, name: str, password: str) -> None:
        """Makes an account. `name` is who it is in every dialect, for good. It does not sign in."""
        body = RegisterRequest(user_tel=tel, user_name=name, user_password=password)
        await done(register.asyncio_detailed(client=self.api, body=body), RegisterSuccessfully)

    async def login(self, tel: int, password: str) -> Account:
        """Signs in: the client is this account from now on."""
        account = await self._login(tel, password)
        self._account = (tel, password)
        self._name = account.user_name
        return account

    def be_guest(self, name: str) -> None:
        """Goes by a name that no account has, without signing in."""
        self._name = name

    async def rooms(self) -> list[Room]:
        """Every room that is open, with how many are in it."""
        return (await done(list_rooms.asyncio_detailed(client=self.api), ListedRooms)).rooms

    async def create_room(self, name: str) -> None:
        """Makes a room without an owner."""
        body = CreateRoomRequest(room_name=name)
        await done(create_room.asyncio_detailed(client=self.api, body=body), ChatroomCreateSuccessfully)

    async def take_seat(self, room: str) -> None:
        """Takes a seat in a room ahead of `join`, which then uses it. `join` takes one where there is none."""
        body = VisitRoomRequest(room_name=room, user_name=self.name, status=VisitRoomRequestStatus.VALUE_1)
        await done(visit_room.asyncio_detailed(client=self.api, body=body), JoinChatroom)

    async def give_seat_back(self, room: str) -> None:
        """Gives back a seat that `take_seat` took."""
        body = VisitRoomRequest(room_name=room, user_name=self.name, status=VisitRoomRequestStatus.VALUE_0)
        await done(visit_room.asyncio_detailed(client=self.api, body=body), LeaveChatroom)

    async def join(self, room: str) -> None:
        """Enters a room: what is said in it comes from now on, also after the connection broke."""
        await self._link.up()
        await self._enter(room)
        self._rooms.add(room)

    async def leave(self, room: str) -> None:
        """Leaves a room."""
        await self._link.up()
        self._rooms.discard(room)
        packet = ClientLeave(Given("", room, GivenUser(self.name)))
        await self._ask(packet, lambda told: isinstance(told, ServerUser) and self._is_own(told, room, "leave"))

    async def say(self, room: str, text: str) -> None:
        """Says something in a room that was joined. Returns when it is in the room."""
        await self._link.up()
        packet = ClientMsg(GivenMsg(text, room, GivenUser(self.name)))
        await self._ask(packet, lambda told: isinstance(told, ServerMsg) and self._is_own(told, room, text))

    def packets(self) -> AsyncIterator[Packet]:
        """What is said in the rooms that were joined, and who comes and goes, the own ones too, from this call on."""
        return self._feed.read()

    async def _login(self, tel: int, password: str) -> Account:
        body = LoginRequest(user_tel=tel, user_password=password)
        return (await done(login.asyncio_detailed(client=self.api, body=body), LoggedIn)).data

    async def _enter(self, room: str) -> None:
        packet = ClientJoin(GivenJoin("", room, GivenUser(self.name)))
        await self._ask(packet, lambda told: isinstance(told, ServerUser) and self._is_own(told, room, "join", "create"))

    async def _ask(self, packet: FromClient, fits: Callable[[FromServer], bool]) -> None:
        answer = self._pending.answer(fits)
        try:
            await self._link.send(packet)
        except ConnectionLost as why:
            self._pending.fail(why)
        await answer

    def _is_own(self, packet: Packet, room: str, *msgs: str) -> bool:
        data = packet.data
        return data.room_name == room and data.user.user_name == self.name and data.msg in msgs

    async def _open(self) -> JsonWire[FromServer, FromClient]:
        # A login shows in the handshake, by its cookie, which the HTTP client keeps.
        if self._account is not None:
            await self._login(*self._account)
        cookies = self.api.get_async_httpx_client().cookies
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers = self._headers | ({"Cookie": cookie} if cookie else {})
        return await JsonWire.open(self._url, headers, msgspec.json.Decoder(FromServer))

    async def _join_again(self) -> None:
        for room in sorted(self._rooms):
            try:
                await self._enter(room)
            except ChatroomError as error:
                # A room that is gone or full does not keep the client from the others.
                self._rooms.discard(room)
                self._on_trouble(error)

    def _receive(self, packet: FromServer) -> None:
        """A success is what the whole room receives; an error belongs to the oldest request."""
        if isinstance(packet, ServerError):
            error = ChatroomError(packet.data.msg)
            if not self._pending.refuse(error):
                self._on_trouble(error)
            return
        # The others come only to a client that asks for them, which this one does not.
        if isinstance(packet, ServerMsg | ServerUser):
            self._pending.take(packet)
            self._feed.push(packet)


class _Handler:
    """What the client does with its connection."""

    def __init__(self, client: ChatroomClient) -> None:
        self._client = client

    async def open(self) -> JsonWire[FromServer, FromClient]:
        return await self._client._open()

    async def greet(self) -> None:
        await self._client._join_again()

    def message(self, message: FromServer, /) -> None:
        self._client._receive(message)

    def lost(self, why: ConnectionLost, /) -> None:
        self._client._pending.fail(why)

    def closed(self, why: Exception | None, /) -> None:
        self._client._feed.end(why)

    def is_final(self, error: Exception, /) -> bool:
        return isinstance(error, ChatroomError) and not error.is_passing


async def done(call: Awaitable[Response[Any]], success: type[Success]) -> Success:
    """Waits for a reply: this one, or raises `ChatroomError`."""
    response = await call
    if isinstance(response.parsed, success):
        return response.parsed
    res = getattr(response.parsed, "res", None)
    code = getattr(res, "value", res) or f"HTTP status {int(response.status_code)}"
    raise ChatroomError(str(code), int(response.status_code))
