"""A client of the OurChat codes, as Dragoman speaks them."""

from .backoff import Backoff
from .client import Group, Ocid, OurchatClient, Private, Pushed
from .error import OurchatError
from .link import ConnectionLost
from .messages import Gap, GroupCreated, Text

__all__ = [
    "Backoff",
    "ConnectionLost",
    "Gap",
    "Group",
    "GroupCreated",
    "Ocid",
    "OurchatClient",
    "OurchatError",
    "Private",
    "Pushed",
    "Text",
]
