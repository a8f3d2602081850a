"""Find images by what a table calls them: paths, names, or names without their endings."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdtasks.data.folders import composed
from kdtasks.data.tables import Table
from kdtasks.edge.formats import SUFFIXES


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
        paths = self._found.get(name.casefold(), []) if name else []
        if len(paths) < 2:
            return paths
        exact = [path for path in paths if name in _ends(self._name_of[path])]
        whole = [path for path in exact if self._name_of[path].endswith(name)]
        top = [path for path in paths if self._name_of[path] == name]
        return top or whole or exact or paths


def _ends(name: str) -> set[str]:
    """Every end of a path that begins at a folder, with and without the name's ending."""
    ends = {name, posixpath.splitext(name)[0]}
    while name := name.partition("/")[2]:
        ends |= {name, posixpath.splitext(name)[0]}
    return ends


def _plain(cell: str) -> str:
    parts = composed(cell.strip()).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def image_column(table: Table, index: ImageIndex, columns: Mapping[str, str]) -> str | None:
    """Find the column that names the images: by its own name, or by its cells.

    A column of numbers finds files too, `39` finds `39.png`, though another one names the files.

    Args:
        columns: what was found by names.

    Returns:
        None where no column names half of the rows' images, or two name different ones.
    """
    guess = columns.get("image")
    others = [c for c in table.columns if guess is None or c not in columns.values()]
    files = [column for column in others if _holds_files(table.column(column))]
    if guess is not None and (not files or _holds_files(table.column(guess))):
        return guess
    searched = [*files, guess] if guess is not None else files or others
    matches = {column: index.find_all(table.column(column)) for column in searched}
    counts = {column: sum(map(bool, images)) for column, images in matches.items()}
    likely = [column for column in searched if 2 * counts[column] >= len(table.rows)]
    if not files:
        return max(likely, key=lambda column: (counts[column], column), default=None)
    for column in likely[1:]:
        both = zip(matches[likely[0]], matches[column], strict=True)
        if any(one and other and one != other for one, other in both):
            return None
    return likely[0] if likely else guess


def _holds_files(cells: Sequence[str]) -> bool:
    """Whether half of the cells or more end as the names of image files do."""
    return 2 * sum(Path(cell).suffix.lower() in SUFFIXES for cell in cells) >= len(cells)
