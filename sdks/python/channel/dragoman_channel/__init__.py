"""A client of the channel API, as Dragoman speaks it."""

from .backoff import Backoff
from .client import ChannelClient, DirectMessage, done
from .error import ChannelError
from .generated.models import ChannelMessage, Gap

__all__ = ["Backoff", "ChannelClient", "ChannelError", "ChannelMessage", "DirectMessage", "Gap", "done"]
