"""Standard output that outlives its reader: `| head`, or a terminal that was closed."""

import errno
import os
import sys

GONE = (errno.EPIPE, errno.EIO)


class LastingOutput:
    """Writes to standard output at once, and to nothing once that is gone.

    A run goes on without a reader; its logs are in files. Characters that the terminal's encoding
    lacks become `?`.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout  # as it is now: a live table puts itself in its place later
        if hasattr(self._stream, "reconfigure"):
            self._stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:
        """The encoding of standard output."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Write; `flush` sends it."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Send what was written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def print(self, text: str = "") -> None:
        """Write a line whole, whatever other threads write meanwhile."""
        self.write(f"{text}\n")
        self.flush()

    def _give_up(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
        # the descriptor rather than the object: what is buffered goes there as well, so that
        # Python's own flush at the exit finds nothing to complain about
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
