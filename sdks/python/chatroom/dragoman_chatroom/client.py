"""The client: accounts and rooms over HTTP, talk over a WebSocket that is made again when it breaks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import msgspec

from .backoff import Backoff
from .error import OUTCOME_UNKNOWN, ChatroomError
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
    ServerCaughtUp,
    ServerError,
    ServerGap,
    ServerMsg,
    ServerPosted,
    ServerUser,
)
from .pending import Pending
from .wire import JsonWire

Packet = ServerMsg | ServerUser | ServerGap
"""A pushed event: a message, a member who came or went, or messages that were missed and are not there any more."""

BEGIN_NOW = 2**53 - 1
"""The `since` of a client that wants nothing of the past."""

Success = TypeVar("Success")


class ChatroomClient:
    """A client of the chatroom: an account, or a guest.

    The WebSocket is opened by the first `join`. When it breaks it is made again: the client logs in anew, joins its
    rooms again and gets what was said there meanwhile, each message once. What is called meanwhile waits for that. A
    `say` that was under way is repeated, and the gateway posts it once; other calls that were under way fail with
    `ConnectionLost`. Every method raises `ChatroomError` where the gateway says no, and `httpx.HTTPError` or
    `ConnectionLost` where it cannot be reached.

    Calls `on_trouble` with the reason each time that the connection broke or could not be made again, and
    `on_reconnect` after it was made again and the rooms are taken up again. `headers` go with every request and the
    WebSocket's handshake.
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
        self._patience = Backoff()
        self._pending: Pending[FromServer] = Pending()
        self._feed: Feed[Packet] = Feed()
        self._rooms: set[str] = set()
        self._newest: dict[str, int] = {}
        """Up to which message what was said in a room has come."""
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
        """The user name."""
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

    async def join(self, room: str, since: int | None = None) -> None:
        """Enters a room: what is said in it comes from now on, also what is said while the connection is broken.

        `since`: the `id` of a message; what was said after it comes first. 0 for all that there is.
        """
        await self._link.up()
        if since is None:
            since = self._newest.get(room, BEGIN_NOW) if room in self._rooms else BEGIN_NOW
        await self._enter(room, since)
        self._rooms.add(room)

    async def leave(self, room: str) -> None:
        """Leaves a room."""
        await self._link.up()
        self._rooms.discard(room)
        packet = ClientLeave(Given("", room, GivenUser(self.name)))
        await self._ask(packet, lambda told: isinstance(told, ServerUser) and self._is_own(told, room, "leave"))

    async def say(self, room: str, text: str, client_id: str | None = None) -> int:
        """Says something in a room that was joined, once. Returns when it is in the room, with its `id`.

        Where the connection breaks before the answer, it is sent again with the same `client_id`: a name for the
        message, 1 to 200 bytes, of the client's own. Sent again by another run of the program, it is the same message
        for a day.
        """
        name = client_id or uuid4().hex
        packet = ClientMsg(GivenMsg(text, room, GivenUser(self.name), client_id=name))
        while True:
            await self._link.up()
            try:
                posted = await self._ask(
                    packet, lambda told: isinstance(told, ServerPosted) and told.data.client_id == name
                )
            except ConnectionLost as why:
                self._on_trouble(why)
                continue
            except ChatroomError as error:
                if error.code != OUTCOME_UNKNOWN:
                    raise
                self._on_trouble(error)
                await self._patience.wait()
                continue
            assert isinstance(posted, ServerPosted), "it fits"
            return posted.data.id

    def packets(self) -> AsyncIterator[Packet]:
        """What is said in the rooms that were joined, and who comes and goes, the own ones too, from this call on.

        A `ServerGap` stands for messages that are not there any more: too many were missed, or they were removed.
        """
        return self._feed.read()

    async def _login(self, tel: int, password: str) -> Account:
        body = LoginRequest(user_tel=tel, user_password=password)
        return (await done(login.asyncio_detailed(client=self.api, body=body), LoggedIn)).data

    async def _enter(self, room: str, since: int) -> None:
        if since != BEGIN_NOW:
            self._newest[room] = since
        packet = ClientJoin(GivenJoin("", room, GivenUser(self.name), since=since))
        await self._ask(packet, lambda told: isinstance(told, ServerCaughtUp) and told.data.room_name == room)

    async def _ask(self, packet: FromClient, fits: Callable[[FromServer], bool]) -> FromServer:
        answer = self._pending.answer(fits)
        try:
            await self._link.send(packet)
        except ConnectionLost as why:
            self._pending.fail(why)
        return await answer

    def _is_own(self, packet: ServerMsg | ServerUser, room: str, *msgs: str) -> bool:
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
                await self._enter(room, self._newest[room])
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
        if isinstance(packet, ServerCaughtUp):
            self._note(packet.data.room_name, packet.data.id)
        elif isinstance(packet, ServerMsg) and not self._is_new(packet):
            return
        self._pending.take(packet)
        if isinstance(packet, Packet):
            self._feed.push(packet)

    def _is_new(self, packet: ServerMsg) -> bool:
        """What is caught up with may come twice. Within a room, ids ascend."""
        id = packet.data.id
        if not isinstance(id, int):
            return True
        return self._note(packet.data.room_name, id)

    def _note(self, room: str, id: int) -> bool:
        """The messages of a room up to this one have come. Whether that is news."""
        if id <= self._newest.get(room, -1):
            return False
        self._newest[room] = id
        return True


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
