"""A client of the usr/room REST, as Dragoman speaks it, for the backend of an app."""

from .backoff import Backoff
from .client import RoomMessage, UsrRoomClient, done
from .error import UsrRoomError
from .generated.models import Gap, Room

__all__ = ["Backoff", "Gap", "Room", "RoomMessage", "UsrRoomClient", "UsrRoomError", "done"]
