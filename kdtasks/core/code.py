"""Which files of code a stage's outputs depend on: what DVC watches and checkpoints are held to.

`root` is everywhere the folder of a project: a clone, which holds `kdtasks/` itself, or any other,
whose code of the package is the installed one. Files are named as in a clone.
"""

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator, Set
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from kdtasks.core.errors import ProjectError
from kdtasks.core.installed import PACKAGE, hash_lines, read_hashes
from kdtasks.core.paths import ProjectPaths

_PACKAGES = ("kdtasks", "stages")
_EXTENSIONS = ProjectPaths().extensions.name
_INSTALLED = PACKAGE.parent
_NO_PART = (".py", ".pyc", ".new")  # Python is followed; `kdtasks upgrade` leaves the last
_FOR_TYPES_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")

# What shapes no output: messages, bookkeeping, and the validation of values that DVC watches.
_WITHOUT_INFLUENCE = (
    "kdtasks/__init__.py",
    "kdtasks/core/code.py",
    "kdtasks/core/errors.py",
    "kdtasks/core/events.py",
    "kdtasks/core/installed.py",
    "kdtasks/core/locks.py",
    "kdtasks/core/progress.py",
    "kdtasks/core/registry.py",
    "kdtasks/core/settings.py",
    "kdtasks/core/text.py",
    "kdtasks/params",
    "kdtasks/stage.py",
)
# Of these registries a stage runs nothing but what its own params name.
_RUN_BY_NAME = ("kdtasks.learn.losses.distillation", "kdtasks.learn.losses.labels")


def closure(script: Path, root: Path, named: Set[str] | None = None) -> tuple[Path, ...]:
    """List the files of code that a stage runs: its script and whatever that imports.

    Imports inside functions count; those for type checkers do not, and neither do files that shape
    no output. A package counts whole where its `__init__.py` creates a registry, and the project's
    extensions with it, but for losses that are not named. What is no Python, such as a template,
    counts with the modules beside it. A module imported by a name made at run time is not seen.

    Args:
        script: a file below `root`.
        root: folder of the project, with `stages/`.
        named: words of the params that the stage depends on; None counts all losses.

    Returns:
        Paths below it, or of the installed package; sorted.
    """
    files: set[Path] = set()
    followed: set[str] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file in files or not _has_influence(file, root):
            continue
        files.add(file)
        module = _module(file, root)
        for name in module.imports.difference(followed):
            followed.add(name)
            waiting += _files_of(name, root)
        if module.creates_registry:
            items = [*file.parent.glob("*.py"), *(root / _EXTENSIONS).rglob("*.py")]
            waiting += [
                path for path in items if named is None or _module(path, root).may_run(named)
            ]
    beside = (other for folder in {file.parent for file in files} for other in folder.iterdir())
    files.update(path for path in beside if path.is_file() and path.suffix not in _NO_PART)
    return tuple(sorted(files))


def listing(script: Path, root: Path, named: Set[str] | None = None) -> str:
    """Write the closure of a script: a line for each file, its SHA-256 and name, as of `sha256sum`.

    Args:
        script, root, named: as of `closure`.
    """
    files = {name_of(path, root): path for path in closure(script, root, named)}
    order = sorted(files, key=PurePosixPath)
    return hash_lines(
        {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in order}
    )


def check_listing(listed: Path, root: Path) -> None:
    """Hold the code as it is to what DVC was told of it: outputs must not pass for another's.

    Args:
        listed: file of a `listing`.
        root: as of `closure`.

    Raises:
        ProjectError: a file has changed since.
    """
    for name, digest in read_hashes(listed).items():
        path = (home_of(root) if name.startswith(f"{_PACKAGES[0]}/") else root) / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ProjectError(
                f"{name} has changed since the stage `code` listed it; start the run again, and it "
                "reruns the stages that this concerns"
            )


def home_of(root: Path) -> Path:
    """The folder that holds `kdtasks/`: a clone, or else where the package is installed."""
    return root if (root / _PACKAGES[0]).is_dir() else _INSTALLED


@cache
def name_of(path: Path, root: Path) -> str:
    """Name a file with forward slashes, as seen from the project or the installation."""
    home = home_of(root)  # which an environment inside the project may have below it
    return path.relative_to(home if path.is_relative_to(home / _PACKAGES[0]) else root).as_posix()


def _has_influence(file: Path, root: Path) -> bool:
    name = name_of(file, root)
    if any(name == path or name.startswith(f"{path}/") for path in _WITHOUT_INFLUENCE):
        return False
    # Extensions are watched from the first file on, before there is code in any.
    is_init = file.name == "__init__.py"
    return name.startswith(f"{_EXTENSIONS}/") or not (is_init and _module(file, root).is_plain)


class _Module(NamedTuple):
    imports: frozenset[str]
    creates_registry: bool  # in an `__init__.py`
    is_plain: bool  # it holds nothing but a docstring
    items: tuple["_Item", ...]  # that it registers

    def may_run(self, named: Set[str]) -> bool:
        """Whether it registers something that params may choose, or nothing at all."""
        return not self.items or any(item.may_run(named) for item in self.items)


class _Item(NamedTuple):
    registry: str  # dotted name of its package
    names: frozenset[str]  # by which params choose it; empty where they are not seen

    def may_run(self, named: Set[str]) -> bool:
        return self.registry not in _RUN_BY_NAME or not self.names or bool(self.names & named)


def _module(file: Path, root: Path) -> _Module:
    return _parsed(name_of(file, root), file.read_bytes())


@cache
def _parsed(name: str, content: bytes) -> _Module:
    """Look into a file, once for all scripts: they share most of theirs."""
    tree, path = ast.parse(content, filename=name), PurePosixPath(name)
    nodes = list(_nodes(tree))
    imports = frozenset(_imported(nodes, package=path.parent.parts))
    return _Module(
        imports,
        path.name == "__init__.py" and _create_registry(nodes),
        len(tree.body) == (ast.get_docstring(tree) is not None),
        tuple(_registered(nodes, {name.rpartition(".")[2]: name for name in imports})),
    )


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree but those that only type checkers see."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_TYPES_ONLY:
            waiting += node.orelse
        else:
            yield node
            waiting += ast.iter_child_nodes(node)


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
    home = home_of(root) if parts[0] == _PACKAGES[0] else root
    for count in range(1, len(parts) + 1):
        base = f"{home}/{'/'.join(parts[:count])}"
        files = (f"{base}/__init__.py", f"{base}.py")  # pathlib's would take half of the time
        yield from [Path(file) for file in files if os.path.isfile(file)][:1]  # noqa: PTH113


def _create_registry(nodes: Iterable[ast.AST]) -> bool:
    calls = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    return any(call.partition("[")[0].split(".")[-1] == "Registry" for call in calls)


def _registered(nodes: Iterable[ast.AST], imports: dict[str, str]) -> Iterator[_Item]:
    """Classes decorated with `registry.register`, by the names that their field `name` allows."""
    for node in nodes:
        if not isinstance(node, ast.ClassDef):
            continue
        fields = [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]
        choices = [field.annotation for field in fields if ast.unparse(field.target) == "name"]
        words = [
            part.value
            for field in choices
            for part in ast.walk(field)
            if isinstance(part, ast.Constant)
        ]
        for decorator in map(ast.unparse, node.decorator_list):
            registry, _, method = decorator.rpartition(".")
            if method == "register":
                package = imports.get(registry, registry).rpartition(".")[0]
                yield _Item(package, frozenset(word for word in words if isinstance(word, str)))
