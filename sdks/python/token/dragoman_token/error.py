"""What the gateway refuses."""

from enum import IntEnum


class Result(IntEnum):
    """How a request ended."""

    OK = 0
    E_USER_EXIST = 1
    E_USER_NOT_EXIST = 2
    E_NOT_LOGGED_IN = 3
    E_TOKEN_INVALID = 4
    E_ROOM_NOT_EXIST = 5
    E_ROOM_FULL = 6
    E_NOT_IN_ROOM = 7
    E_FRAME = 8
    E_ARGUMENT = 9
    E_COMMAND = 10
    E_LIMIT = 11
    E_SERVER = 12
    E_DENIED = 13


class TokenError(Exception):
    """The gateway said no. Compare `code`; the reason is for people, and may change."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        """One of `Result`, or one of a newer gateway."""
        self.reason = reason

    @property
    def result(self) -> str:
        """The name of the code: `E_ROOM_FULL`."""
        return Result(self.code).name if self.code in list(Result) else f"result {self.code}"

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in (Result.E_LIMIT, Result.E_SERVER)
