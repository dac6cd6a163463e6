"""What the gateway refuses."""

BAD_REQUEST = 1
NOT_SIGNED_IN = 2
WRONG_NAME_OR_PASSWORD = 3
NAME_TAKEN = 4
PASSWORDS_DIFFER = 5
NO_SUCH_USER = 6
NO_SUCH_CHANNEL = 7
NOT_ALLOWED = 8
CHANNEL_FULL = 9
SLOW_DOWN = 10
SERVER_ERROR = 11


class ChannelError(Exception):
    """The gateway said no. Compare `code`; the reason is for people, and may change."""

    def __init__(self, code: int, reason: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.code = code
        """One of the constants of this module."""
        self.reason = reason
        self.status = status
        """Of the HTTP reply: 200 for what the dialect itself refuses."""
        self.retry_after = retry_after
        """When to try again, in seconds, where the gateway says so (429 and 503)."""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in (SLOW_DOWN, SERVER_ERROR)
