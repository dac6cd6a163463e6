"""What the gateway refuses."""


class UsrRoomError(Exception):
    """The gateway said no. The dialect has one code for that, 0; the reason is for people."""

    code = 0
    """`response_code`."""

    def __init__(self, reason: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        """Of the HTTP reply: 200 for what the dialect itself refuses."""
        self.retry_after = retry_after
        """When to try again, in seconds, where the gateway says so (429 and 503)."""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status >= 500
