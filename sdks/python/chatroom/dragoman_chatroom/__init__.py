"""A client of the auth/chatroom dialect, as Dragoman speaks it."""

from .backoff import Backoff
from .client import ChatroomClient, Packet
from .error import ChatroomError
from .link import ConnectionLost
from .packets import ServerGap, ServerMsg, ServerUser

__all__ = [
    "Backoff",
    "ChatroomClient",
    "ChatroomError",
    "ConnectionLost",
    "Packet",
    "ServerGap",
    "ServerMsg",
    "ServerUser",
]
