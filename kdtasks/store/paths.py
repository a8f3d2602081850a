"""Which paths a version's files may have: relative, plain, and different on every file system."""

import unicodedata
from collections.abc import Iterable

# What a pull writes beside a version's files, so no file of a version may have its name.
RECEIPT = ".kdtasks-version.json"

_FORBIDDEN = frozenset('\\:*?"<>|')
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)
_LONGEST_PART = 200  # bytes; file systems allow 255, temporary names need some


def problem_of_path(path: object) -> str | None:
    """Say what is wrong with the path of one file; null where nothing is.

    Allowed is what stays inside its folder and means the same file everywhere: parts joined by
    `/`, without `.` and `..`, backslashes, drive letters, control characters and names that
    Windows keeps for itself.
    """
    if not isinstance(path, str) or not path:
        return "it is no text"
    if path.startswith("/"):
        return "it is absolute"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return f"it has the part {part!r}"
        if _FORBIDDEN & set(part) or not part.isprintable():
            return "it has a backslash, a colon or another character that some systems forbid"
        if part[-1] in " ." or part.split(".")[0].rstrip().lower() in _DEVICES:
            return f"{part!r} is no file's name on Windows"
        if len(part.encode("utf-8", "surrogatepass")) > _LONGEST_PART:
            return f"a part is longer than {_LONGEST_PART} bytes"
    if _folded(path) == RECEIPT:
        return "that name is kept for what a pull writes"
    return None


def problem_of_paths(paths: Iterable[str]) -> str | None:
    """Say which paths exclude each other; null where none do.

    Two that differ in case or in Unicode form only are the same file on some systems, and a file
    cannot be a folder of another.
    """
    seen: dict[str, str] = {}
    for path in paths:
        twin = seen.get(_folded(path))
        if twin is not None:
            return f"{twin!r} and {path!r} are the same file"
        seen[_folded(path)] = path
    for folded, path in seen.items():
        parts = folded.split("/")
        for count in range(1, len(parts)):
            outer = seen.get("/".join(parts[:count]))
            if outer:
                return f"{outer!r} is a file and a folder of {path!r}"
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
