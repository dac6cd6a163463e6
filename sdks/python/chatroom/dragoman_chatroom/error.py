"""What the gateway refuses."""

OUTCOME_UNKNOWN = "outcome unknown"
"""The gateway failed at a moment when the request may have been done."""


class ChatroomError(Exception):
    """The gateway said no. The dialect's codes are words."""

    def __init__(self, code: str, status: int = 0) -> None:
        super().__init__(code)
        self.code = code
        """`res` over HTTP, `msg` of a packet `error` over the WebSocket."""
        self.status = status
        """Of the HTTP reply, 200 for what the dialect itself refuses; 0 over the WebSocket."""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in ("slow down", "server busy", "server error") or self.status == 429 or self.status >= 500
