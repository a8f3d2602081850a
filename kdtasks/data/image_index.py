"""Find images by what a table calls them: paths, names, or names without their endings."""

import posixpath
from collections.abc import Sequence
from pathlib import Path

from kdtasks.data.folders import composed


class ImageIndex:
    """Files by every end of their paths, with and without the name's ending, in any case."""

    def __init__(self, files: Sequence[Path], root: Path) -> None:
        """Index files below `root`."""
        self._found: dict[str, list[Path]] = {}
        self._name_of = {path: composed(path.relative_to(root).as_posix()) for path in files}
        for path, name in self._name_of.items():
            for key in _ends(name):
                self._found.setdefault(key.casefold(), []).append(path)

    def find_all(self, cells: Sequence[str]) -> list[list[Path]]:
        """Find the files that each cell can mean: one where all is well.

        Folders that paths begin with, but that are not there, are taken off, of all alike: of each
        on its own, `b/1.png` could become `a/1.png`.
        """
        names = [_plain(cell) for cell in cells]
        for depth in range(max((name.count("/") for name in names), default=0) + 1):
            found = [self._find("/".join(name.split("/")[depth:])) for name in names]
            if any(found):
                return found
        return [[] for _ in cells]

    def _find(self, name: str) -> list[Path]:
        found = self._found.get(name.casefold(), []) if name else []
        if len(found) < 2:
            return found
        exact = [path for path in found if name in _ends(self._name_of[path])]
        whole = [path for path in exact if self._name_of[path].endswith(name)]
        top = [path for path in found if self._name_of[path] == name]
        return top or whole or exact or found


def _ends(name: str) -> set[str]:
    """Every end of a path that begins at a folder, with and without the name's ending."""
    ends = {name, posixpath.splitext(name)[0]}
    while name := name.partition("/")[2]:
        ends |= {name, posixpath.splitext(name)[0]}
    return ends


def _plain(cell: str) -> str:
    parts = composed(cell.strip()).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))
