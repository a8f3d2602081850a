"""Look into the folders that images come in."""

from pathlib import Path

from kdtasks.core.errors import DatasetError

SYSTEM_FILES = frozenset(["thumbs.db", "desktop.ini"])


def visible_entries(folder: Path) -> list[Path]:
    """List what is in a folder, by name; hidden entries and the systems' own files are not."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES
    )


def relative_name(path: Path, root: Path) -> str:
    """Name a path below `root`; bytes that are no UTF-8 are spelled out."""
    return path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()


def require_folder(folder: Path, purpose: str, *, key: str = "data.path") -> Path:
    """Return `folder` if it is one.

    Raises:
        DatasetError: it is missing or is a file.
    """
    if not folder.is_dir():
        found = "is a file" if folder.is_file() else "not found"
        raise DatasetError(f"{folder} {found}, {purpose} was expected; correct {key}")
    return folder
