"""What a server says no to."""


class Refusal(Exception):  # noqa: N818  (the client's mistake, or too much at once: no bug)
    """A request that gets no answer.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        """Say why, in one line for the client."""
        super().__init__(message)
        self.status = status
