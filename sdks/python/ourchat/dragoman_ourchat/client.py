"""The client: a session that logs in again when its connection breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import msgspec
from msgspec import UNSET

from .backoff import Backoff
from .error import OurchatError
from .feed import Feed
from .link import ConnectionLost, Link
from .messages import (
    Account,
    AccountData,
    AccountQuery,
    Acknowledge,
    Failure,
    FromClient,
    FromServer,
    Gap,
    GroupCreate,
    GroupCreated,
    Kept,
    LoggedIn,
    Login,
    Register,
    Registered,
    Sender,
    Status,
    StatusQuery,
    Text,
    TextCreate,
    TextCreateSender,
    Verified,
    Verify,
)
from .pending import Pending
from .wire import JsonWire

Ocid = Any
"""A user: an int, or a str of digits where the gateway is configured so."""

Pushed = Text | GroupCreated | Gap
"""A pushed event: a text, a new group with this user in it, or, with a `device`, texts that it missed and that are not
there any more."""

OUTCOME_UNKNOWN = "the outcome is unknown"
"""How the reason begins where the gateway failed at a moment when the text may have been stored."""

KNOWN_MAX = 16_384
"""After a break a text may be sent again; of so many the client knows that it had them."""

Answer = TypeVar("Answer")
SignedIn = TypeVar("SignedIn", Registered, LoggedIn)


@dataclass(frozen=True)
class Group:
    """A text is for a group."""

    group_id: int


@dataclass(frozen=True)
class Private:
    """A text is for one user."""

    ocid: Ocid


class OurchatClient:
    """A session of OurChat.

    The connection is made by the first call. When it breaks it is made again, and the client logs in anew; texts that
    came meanwhile are then pushed, each once. What is called meanwhile waits for that. A `send` that was under way is
    repeated, and the gateway stores the text once; other calls that were under way fail with `ConnectionLost`. Every
    method raises `OurchatError` where the gateway says no.

    A text counts as received when every iteration over `pushed` has asked for what comes after it, or at once where there
    is none; what the program had not come to when it ended is pushed again after its next login, with the same `cid`.

    `device`: the name of this device, 1 to 64 bytes, the same each time. It then gets all that it has not had itself,
    whatever the user's other devices have, and a `Gap` for what is missing of that.

    Calls `on_trouble` with the reason each time that the connection broke or could not be made again, and
    `on_reconnect` after it was made again. `headers` go with the WebSocket's handshake.
    """

    def __init__(
        self,
        url: str = "ws://127.0.0.1:7777",
        *,
        headers: dict[str, str] | None = None,
        device: str | None = None,
        backoff: Backoff | None = None,
        on_trouble: Callable[[Exception], None] | None = None,
        on_reconnect: Callable[[], None] | None = None,
    ) -> None:
        self._url = url
        self._headers = headers or {}
        self._device = device
        self._patience = Backoff()
        self._on_trouble = on_trouble or (lambda error: None)
        self._link: Link[FromServer, FromClient] = Link(_Handler(self), backoff, on_trouble, on_reconnect)
        self._pending: Pending[FromServer] = Pending()
        self._feed: Feed[Pushed] = Feed()
        self._known: dict[int, None] = {}
        self._account: Login | None = None
        self._ocid: Ocid = None
        self._logins = 0
        """How many accounts it has logged in as: what one has received says nothing of another."""
        self._received = 0
        """The `cid` up to which the program is done with the texts to this account."""
        self._acknowledged = 0
        self._acknowledging: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up. Iterations end."""
        await self._link.close()

    @property
    def ocid(self) -> Ocid:
        """The ocid of the user."""
        if self._ocid is None:
            raise RuntimeError("not logged in: call login first")
        return self._ocid

    async def register(self, email: str, password: str, name: str | None = None) -> Ocid:
        """Makes an account, and logs in as it; gives its ocid.

        `name` is what others see, and who it is in other dialects if it is free.
        """
        await self._link.up()
        request = Register(email=email, password=password, name=UNSET if name is None else name)
        account = Login(account=email, login_type=0, password=password)
        self._ocid = _ocid_of(5, await self._sign_in(request, Registered, account))
        return self._ocid

    async def login(self, email: str, password: str) -> Ocid:
        """Logs in with an email; gives the ocid. Texts that arrived while the user was logged out are pushed after it."""
        return await self._log_in_as(Login(account=email, login_type=0, password=password))

    async def login_by_ocid(self, ocid: Ocid, password: str) -> Ocid:
        """Logs in with an ocid, as accounts that were made in other dialects do."""
        return await self._log_in_as(Login(account=str(ocid), login_type=1, password=password))

    async def send(self, to: Group | Private, msg: str, client_id: str | None = None) -> Text:
        """Sends a text, once. Returns it when it is stored, with its `cid`.

        Where the connection breaks before the answer, it is sent again with the same `client_id`: a name for the text,
        1 to 200 bytes, of the client's own. Sent again by another run of the program, it is the same text for a day.
        """
        name = client_id or uuid4().hex
        await self._link.up()
        sender = TextCreateSender(ocid=self.ocid)
        shown = Sender(ocid=self.ocid)
        if isinstance(to, Group):
            sender.group_id = shown.group_id = to.group_id
        else:
            sender.private_id = shown.private_id = to.ocid
        request = TextCreate(msg=msg, sender=sender, client_id=name)
        while True:
            try:
                kept = await self._request(
                    request, Kept, lambda message: isinstance(message, Kept) and message.client_id == name
                )
                return Text(cid=kept.cid, msg=msg, sender=shown, time=kept.time)
            except ConnectionLost as why:
                self._on_trouble(why)
            except OurchatError as error:
                if OUTCOME_UNKNOWN not in str(error):
                    raise
                self._on_trouble(error)
                await self._patience.wait()
            await self._link.up()

    async def create_group(
        self, members: list[Ocid], name: str | None = None, client_id: str | None = None
    ) -> int:
        """Makes a group of this user and others; gives its `group_id`.

        Asked for again within a day with the same `client_id`, 1 to 200 bytes, it is the same group.
        """
        await self._link.up()
        request = GroupCreate(
            members=members,
            name=UNSET if name is None else name,
            client_id=UNSET if client_id is None else client_id,
        )
        # To others in it, and other sessions of this user, the same code tells the members.
        reply = await self._request(
            request, GroupCreated, lambda told: isinstance(told, GroupCreated) and told.members is UNSET
        )
        if not reply.success or not isinstance(reply.group_id, int):
            raise OurchatError(9, reply.msg)
        return reply.group_id

    async def account(self, ocid: Ocid, *values: str) -> AccountData:
        """What is known of an account, of what is asked for: `nickname`, `status`, `avater`, `time`, `ocid`."""
        await self._link.up()
        reply = await self._ask(AccountQuery(ocid=ocid, request_values=list(values)), Account)
        if reply.status != 0:
            raise OurchatError(11, "no such account", reply.status)
        return reply.data

    async def status(self) -> int:
        """Whether the server is well: 0."""
        await self._link.up()
        return (await self._ask(StatusQuery(), Status)).status

    async def verify(self) -> None:
        """Asks that an email be verified."""
        await self._link.up()
        await self._ask(Verify(), Verified)

    def pushed(self) -> AsyncIterator[Pushed]:
        """What is pushed, the own texts too, from this call on."""
        return self._feed.read()

    async def _log_in_as(self, account: Login) -> Ocid:
        await self._link.up()
        return await self._login(account)

    def _become(self, account: Login) -> None:
        if not self._is_current(account):
            self._logins += 1
            self._received = self._acknowledged = 0
        self._account = account

    def _is_current(self, account: Login) -> bool:
        own = self._account
        return own is not None and (own.account, own.login_type) == (account.account, account.login_type)

    async def _login(self, account: Login) -> Ocid:
        if self._device is not None:
            account.device = self._device
        self._ocid = _ocid_of(7, await self._sign_in(account, LoggedIn, account))
        return self._ocid

    async def _sign_in(self, request: FromClient, answer: type[SignedIn], account: Login) -> SignedIn:
        """From the first 17 on nothing else counts as received: no pong, which the library sends by itself."""

        def is_answer(message: FromServer) -> bool:
            # What follows at once is for this account.
            if isinstance(message, answer) and message.state == 0:
                self._become(account)
            return isinstance(message, answer)

        received = self._received if self._is_current(account) else 0
        return await self._request(request, answer, is_answer, Acknowledge(cid=received))

    async def _ask(self, request: FromClient, answer: type[Answer]) -> Answer:
        return await self._request(request, answer, lambda message: isinstance(message, answer))

    async def _request(
        self,
        request: FromClient,
        answer: type[Answer],
        fits: Callable[[FromServer], bool],
        then: FromClient | None = None,
    ) -> Answer:
        waiting = self._pending.answer(fits)
        try:
            await self._link.send(request)
            if then is not None:
                await self._link.send(then)
        except ConnectionLost as why:
            self._pending.fail(why)
        message = await waiting
        assert isinstance(message, answer), "it fits"
        return message

    def _receive(self, message: FromServer) -> None:
        """Replies come in the order of the requests; an 18 is for the oldest."""
        if isinstance(message, Failure):
            error = OurchatError(18, message.details)
            if not self._pending.refuse(error):
                self._on_trouble(error)
            return
        is_answer = self._pending.take(message)
        if isinstance(message, Text) and self._is_new(message.cid):
            self._push(message, message.cid)
        elif isinstance(message, Gap):
            self._push(message, message.before - 1)
        elif isinstance(message, GroupCreated) and not is_answer:
            self._feed.push(message)

    def _push(self, message: Pushed, cid: int) -> None:
        """When the program is done with it, it has all up to this `cid`."""
        login = self._logins
        self._feed.push(message, lambda: self._note_received(login, cid))

    def _note_received(self, login: int, cid: int) -> None:
        if login != self._logins or cid <= self._received:
            return
        self._received = cid
        if self._acknowledging is None:
            self._acknowledging = asyncio.create_task(self._acknowledge())

    async def _acknowledge(self) -> None:
        try:
            while self._acknowledged < self._received:
                self._acknowledged = self._received
                await self._link.send(Acknowledge(cid=self._received))
        except ConnectionLost:
            pass  # The next login says it.
        finally:
            self._acknowledging = None

    def _is_new(self, cid: int) -> bool:
        if cid in self._known:
            return False
        self._known[cid] = None
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return True


class _Handler:
    """What the client does with its connection."""

    def __init__(self, client: OurchatClient) -> None:
        self._client = client

    async def open(self) -> JsonWire[FromServer, FromClient]:
        client = self._client
        return await JsonWire.open(client._url, client._headers, msgspec.json.Decoder(FromServer))

    async def greet(self) -> None:
        if self._client._account is not None:
            await self._client._login(self._client._account)

    def message(self, message: FromServer, /) -> None:
        self._client._receive(message)

    def lost(self, why: ConnectionLost, /) -> None:
        self._client._pending.fail(why)

    def closed(self, why: Exception | None, /) -> None:
        self._client._feed.end(why)

    def is_final(self, error: Exception, /) -> bool:
        return isinstance(error, OurchatError) and (error.code, error.state) == (7, 1)


def _ocid_of(code: int, reply: Registered | LoggedIn) -> Ocid:
    """The ocid of a 5 or a 7."""
    if reply.state != 0 or reply.ocid is UNSET:
        details = reply.details if isinstance(reply.details, str) else "wrong account or password"
        raise OurchatError(code, details, reply.state)
    return reply.ocid
