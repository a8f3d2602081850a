"""Keep what native code prints on standard error off the terminal."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Catch what C++ prints on standard error; yields a function that gives it."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:

        def content() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        os.dup2(file.fileno(), 2)
        try:
            yield content
        finally:
            os.dup2(saved, 2)
            os.close(saved)
