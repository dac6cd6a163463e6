"""A client of the binary token protocol, as Dragoman speaks it."""

from .backoff import Backoff
from .client import Info, Room, TokenClient, User
from .error import Result, TokenError
from .frames import Gap, MemberChanged, Message, Notification, PopulationChanged
from .link import ConnectionLost

__all__ = [
    "Backoff",
    "ConnectionLost",
    "Gap",
    "Info",
    "MemberChanged",
    "Message",
    "Notification",
    "PopulationChanged",
    "Result",
    "Room",
    "TokenClient",
    "TokenError",
    "User",
]
