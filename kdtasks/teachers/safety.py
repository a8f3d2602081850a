"""Refuse what a model file should not hold."""

from typing import NoReturn

from kdtasks.errors import TeacherError


def refuse(found: str, source: str) -> NoReturn:
    """Raise TeacherError for a part of a file that is not known to be harmless.

    Arguments:
        found: the part, to follow "the file holds".
        source: the file.
    """
    raise TeacherError(
        f"{source} holds {found}, which might run code or touch files when loaded; save the "
        "teacher without it, or convert it to a float .tflite file, and import that"
    )
