"""DVC's errors as this project's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from dvc.exceptions import DvcException
from dvc.lock import LockError

from kdtasks.errors import ProjectError, StageError


@contextmanager
def readable_errors(name: str = "") -> Iterator[None]:
    """Raise StageError for what goes wrong with a stage, ProjectError for all else.

    Arguments: `name` is the stage; empty for the whole project.
    """
    try:
        yield
    except LockError as error:
        raise ProjectError(f"DVC is at work here already: {error}") from None
    except (DvcException, OSError) as error:  # the latter: a full disk, a missing folder
        if name:
            raise StageError(f"stage {name}: {error}") from error
        raise ProjectError(str(error)) from error
