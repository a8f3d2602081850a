"""Which files of code a stage's outputs depend on: what DVC watches and checkpoints are held to.

`root` is everywhere the folder of a project: a clone, which holds `kdtasks/` itself, or any other,
whose code of the package is the installed one. Files are named as seen from what holds them.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path

_PACKAGES = ("kdtasks", "stages")
_EXTENSIONS = "extensions"
_INSTALLED = Path(__file__).parents[2]
_FOR_TYPES_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")

# What shapes no output: messages, bookkeeping, and the validation of values that DVC watches.
_WITHOUT_INFLUENCE = (
    "kdtasks/__init__.py",
    "kdtasks/core/code.py",
    "kdtasks/core/errors.py",
    "kdtasks/core/events.py",
    "kdtasks/core/installed.py",
    "kdtasks/core/locks.py",
    "kdtasks/core/registry.py",
    "kdtasks/core/settings.py",
    "kdtasks/core/text.py",
    "kdtasks/params",
    "kdtasks/stage.py",
)


# Of a folder's files of code, to stand for all of them.
_MOST = 0.75


class Code:
    """The code of one project, each file of which is looked at once."""

    def __init__(self, root: Path) -> None:
        """Args: `root`, folder of the project."""
        self._root, self._home = root, home_of(root)
        self._next: dict[Path, tuple[Path, ...] | None] = {}
        self._inside: dict[Path, tuple[Path, ...] | None] = {}

    def closure(self, script: Path) -> tuple[Path, ...]:
        """List the files of code that a stage runs: its script and whatever that imports.

        Imports inside functions count; those for type checkers do not, and neither do files that
        shape no output. A package counts whole where its `__init__.py` creates a registry, and the
        project's extensions with it. A module imported by a name made at run time is not seen.

        Args:
            script: a file below the project's folder.

        Returns:
            Paths below it, or of the installed package; sorted.
        """
        found: set[Path] = set()
        waiting = [script]
        while waiting:
            file = waiting.pop()
            if file in found:
                continue
            if file not in self._next:
                self._next[file] = self._imports(file)
            following = self._next[file]
            if following is not None:
                found.add(file)
                waiting += following
        return tuple(sorted(found))

    def collapse(self, files: Iterable[Path]) -> list[str]:
        """Name files; a folder stands for them where they are most of its code.

        DVC writes the whole `dvc.lock` after every stage, at a pace of a thousand lines a second:
        with every file by itself that takes longer than many a stage.

        Args:
            files: what `closure` gave.

        Returns:
            Sorted names with forward slashes.
        """
        known = set(files)
        holders = (self._root, self._home)  # which stand for their files never

        @cache
        def is_whole(folder: Path) -> bool:
            if folder not in self._inside:
                self._inside[folder] = self._code_in(folder)
            code = self._inside[folder]
            if code is None:
                return False
            return sum(file in known for file in code) >= _MOST * len(code)

        names = set()
        for file in known:
            around = takewhile(lambda folder: folder not in holders, file.parents)
            whole = [folder for folder in around if is_whole(folder)]
            names.add(name_of(whole[-1] if whole else file, self._root))
        return sorted(names)

    def _imports(self, file: Path) -> tuple[Path, ...] | None:
        """The files that a file brings with it; None where it shapes no output itself."""
        name = name_of(file, self._root)
        if not _has_influence(file, name):
            return None
        imported, creates_registry = _facts(file.read_bytes(), name)
        found = [path for each in imported for path in self._files_of(each)]
        if file.name == "__init__.py" and creates_registry:
            found += [*file.parent.glob("*.py"), *(self._root / _EXTENSIONS).glob("*.py")]
        return tuple(found)

    def _code_in(self, folder: Path) -> tuple[Path, ...] | None:
        """The files of code in a folder, of any depth; None where some shape no output."""
        code = tuple(file for file in folder.rglob("*.py") if not _is_plain(file))
        influential = all(_has_influence(file, name_of(file, self._root)) for file in code)
        return code if influential else None

    def _files_of(self, name: str) -> Iterator[Path]:
        """Files that run where a name is imported: the packages above it, and its module."""
        parts = name.split(".")
        if parts[0] not in _PACKAGES:
            return
        place = self._home if parts[0] == _PACKAGES[0] else self._root
        for part in parts:
            place /= part
            files = [place / "__init__.py", place.with_name(f"{part}.py")]
            yield from [file for file in files if file.is_file()][:1]


def closure(script: Path, root: Path) -> tuple[Path, ...]:
    """List the files of code that a single stage runs: `Code.closure`."""
    return Code(root).closure(script)


def fingerprint(paths: Iterable[Path], root: Path) -> str:
    """SHA-256 over names and contents of files; their order is no matter."""
    total = hashlib.sha256()
    for name, path in sorted((name_of(path, root), path) for path in paths):
        for part in (name.encode(), path.read_bytes()):
            total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def home_of(root: Path) -> Path:
    """The folder that holds `kdtasks/`: a clone, or else where the package is installed."""
    return root if (root / _PACKAGES[0]).is_dir() else _INSTALLED


def name_of(path: Path, root: Path) -> str:
    """Name a file or folder with forward slashes, as seen from the project or the installation."""
    home = home_of(root)  # which an environment inside the project may have below it
    return path.relative_to(home if path.is_relative_to(home / _PACKAGES[0]) else root).as_posix()


def _has_influence(file: Path, name: str) -> bool:
    if any(name == one or name.startswith(f"{one}/") for one in _WITHOUT_INFLUENCE):
        return False
    # Extensions are watched from the first file on, before there is code in any.
    return name.startswith(f"{_EXTENSIONS}/") or not _is_plain(file)


def _is_plain(file: Path) -> bool:
    """Whether a file makes a folder a package and holds nothing but a docstring."""
    if file.name != "__init__.py":
        return False
    tree = ast.parse(file.read_bytes(), filename=str(file))
    return len(tree.body) == (ast.get_docstring(tree) is not None)


def _facts(content: bytes, name: str) -> tuple[set[str], bool]:
    """What a file of code imports, by dotted names, and whether it creates a registry."""
    nodes = list(_nodes(ast.parse(content, filename=name)))
    return set(_imported(nodes, Path(name).parent.parts)), _create_registry(nodes)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree but those that only type checkers see."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) in _FOR_TYPES_ONLY:
        children: Iterable[ast.AST] = tree.orelse
    else:
        yield tree
        children = ast.iter_child_nodes(tree)
    for child in children:
        yield from _nodes(child)


def _imported(nodes: Iterable[ast.AST], package: tuple[str, ...]) -> Iterator[str]:
    """Dotted names that a module of `package` imports; the last part may be no module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def _create_registry(nodes: Iterable[ast.AST]) -> bool:
    calls = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    return any(call.partition("[")[0].split(".")[-1] == "Registry" for call in calls)
