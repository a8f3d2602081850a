"""Which files of code a stage's outputs depend on: what DVC watches and checkpoints are held to."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_PACKAGES = ("kdtasks", "stages")
_EXTENSIONS = "extensions"
_FOR_TYPES_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")

# What shapes no output: messages, bookkeeping, and the validation of values that DVC watches.
_WITHOUT_INFLUENCE = (
    "kdtasks/__init__.py",
    "kdtasks/core/code.py",
    "kdtasks/core/errors.py",
    "kdtasks/core/events.py",
    "kdtasks/core/locks.py",
    "kdtasks/core/progress.py",
    "kdtasks/core/registry.py",
    "kdtasks/core/settings.py",
    "kdtasks/core/text.py",
    "kdtasks/params",
    "kdtasks/stage.py",
)


# Of a folder's files of code, to stand for all of them.
_MOST = 0.75


def closure(script: Path, root: Path) -> tuple[Path, ...]:
    """List the files of code that a stage runs: its script and whatever that imports.

    Imports inside functions count; those for type checkers do not, and neither do files that shape
    no output. A package counts whole where its `__init__.py` creates a registry, and the project's
    extensions with it. A module imported by a name made at run time is not seen.

    Args:
        script: a file below `root`.
        root: folder of the project, with `kdtasks/` and `stages/`.

    Returns:
        Paths below `root`, sorted.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file in found or not _has_influence(file, root):
            continue
        found.add(file)
        nodes = list(_nodes(ast.parse(file.read_bytes(), filename=str(file))))
        for name in _imported(nodes, package=file.relative_to(root).parent.parts):
            waiting += _files_of(name, root)
        if file.name == "__init__.py" and _create_registry(nodes):
            waiting += [*file.parent.glob("*.py"), *(root / _EXTENSIONS).glob("*.py")]
    return tuple(sorted(found))


def fingerprint(paths: Iterable[Path], root: Path) -> str:
    """SHA-256 over names, as seen from `root`, and contents of files; their order is no matter."""
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in paths):
        for part in (name.encode(), path.read_bytes()):
            total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def collapse(files: Iterable[Path], root: Path) -> list[str]:
    """Name files as seen from `root`; a folder stands for them where they are most of its code.

    DVC writes the whole `dvc.lock` after every stage, at a pace of a thousand lines a second: with
    every file by itself that takes longer than many a stage.

    Args:
        files: paths below `root`; what `closure` gave.
        root: folder of the project; it never stands for its files itself.

    Returns:
        Sorted names with forward slashes.
    """
    known = set(files)

    @cache
    def is_whole(folder: Path) -> bool:
        code = [file for file in folder.rglob("*.py") if not _is_plain(file)]
        influential = all(_has_influence(file, root) for file in code)
        return influential and sum(file in known for file in code) >= _MOST * len(code)

    names = set()
    for file in known:
        *folders, _ = file.relative_to(root).parents  # the last is the root
        whole = [folder for folder in folders if is_whole(root / folder)]
        names.add((whole[-1] if whole else file.relative_to(root)).as_posix())
    return sorted(names)


def _has_influence(file: Path, root: Path) -> bool:
    name = file.relative_to(root).as_posix()
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


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """Files that run where a name is imported: the packages above it, and its module."""
    parts = name.split(".")
    if parts[0] not in _PACKAGES:
        return
    place = root
    for part in parts:
        place /= part
        files = [place / "__init__.py", place.with_name(f"{part}.py")]
        yield from [file for file in files if file.is_file()][:1]


def _create_registry(nodes: Iterable[ast.AST]) -> bool:
    calls = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    return any(call.partition("[")[0].split(".")[-1] == "Registry" for call in calls)
