"""What the gateway refuses."""


class OurchatError(Exception):
    """The gateway said no."""

    def __init__(self, code: int, details: str, state: int | None = None) -> None:
        super().__init__(details)
        self.code = code
        """Of the message that said so: 5 register, 7 login, 9 make a group, 11 account; 18 for whatever else."""
        self.details = details
        """For people; it may change."""
        self.state = state
        """Of 5 and 7, where 5 has 2 for an email that is taken; of 11 its `status`."""
