"""The code that a project of one's own runs is the installed package: its hashes, and the check.

Such a project holds no `kdtasks/` for DVC to watch. In its place the stage `code` watches
`code/installed`, which names the package that its lists are of.
"""

import hashlib
from functools import cache
from pathlib import Path

from kdtasks import __version__
from kdtasks.core.errors import ProjectError

CODE, INSTALLED = "code", "installed"
PACKAGE = Path(__file__).parents[1]
_TEMPLATE = PACKAGE / "template"


def template_folder() -> Path:
    """The folder of what projects are begun with: in a wheel, or the top of the running clone."""
    return _TEMPLATE if _TEMPLATE.is_dir() else PACKAGE.parent


def recipes_of(project: Path) -> dict[str, Path]:
    """The file of each recipe by name; the installed package's too, where `kdtasks init` began."""
    is_begun = (project / CODE / INSTALLED).is_file()
    folders = (template_folder(), project) if is_begun else (project,)
    return {path.stem: path for folder in folders for path in (folder / "recipes").glob("*.yaml")}


@cache
def package_hashes() -> dict[str, str]:
    """SHA-256, hex, of every file of the running package, by its name: `kdtasks/core/files.py`."""
    files = (path for path in sorted(PACKAGE.rglob("*")) if path.is_file())
    return {
        path.relative_to(PACKAGE.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "__pycache__" not in path.parts and not path.is_relative_to(_TEMPLATE)
    }


def package_line() -> str:
    """Name the running package by its version and a hash of all that it holds."""
    digest = hashlib.sha256(hash_lines(package_hashes()).encode()).hexdigest()
    return f"kdtasks {__version__} {digest}\n"


def hash_lines(hashes: dict[str, str]) -> str:
    """Write hashes, by names, as `sha256sum` does."""
    return "".join(f"{value}  {name}\n" for name, value in hashes.items())


def parse_hashes(text: str) -> dict[str, str]:
    """Read what `hash_lines` wrote."""
    return {name: value for value, _, name in (line.partition("  ") for line in text.splitlines())}


def read_hashes(path: Path) -> dict[str, str]:
    """Read a file of `hash_lines`; empty where there is none."""
    return parse_hashes(path.read_text(encoding="utf-8")) if path.is_file() else {}


def refuse_other_code(root: Path) -> None:
    """Refuse to run a project whose results are filed under other code than the installed.

    It takes a few hundredths of a second. A clone's code is its own, which DVC itself watches.

    Args:
        root: the project's folder.

    Raises:
        ProjectError: the package is another than `kdtasks upgrade` last saw.
    """
    record = root / CODE / INSTALLED
    if not record.is_file():
        return
    known, running = record.read_text(encoding="utf-8"), package_line()
    if known == running:
        return
    names = [" ".join(line.split()[:2]) or "another kdtasks" for line in (known, running)]
    other = f"{names[1]} is installed" if names[0] != names[1] else "its code has changed"
    raise ProjectError(
        f"the results here are filed under {names[0]}, and {other}; run `kdtasks upgrade`, which "
        "says what will run again and why"
    )
