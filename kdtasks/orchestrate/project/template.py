"""The files that a project gets from the installed package, and how they are kept up to date."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.code import home_of
from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_text
from kdtasks.core.installed import (
    CODE,
    INSTALLED,
    hash_lines,
    package_line,
    parse_hashes,
    read_hashes,
    template_folder,
)
from kdtasks.core.paths import PIPELINE, ProjectPaths
from kdtasks.orchestrate.project.links import list_links, with_links
from kdtasks.orchestrate.project.lockfile import read_lock, stages_after
from kdtasks.params.listings import listings
from kdtasks.params.load import Params, load_with_missing_keys
from kdtasks.params.write import render_params

_TEMPLATE = f"{CODE}/template"  # hashes of the files as they were written
_PATTERNS = (
    *("dvc.yaml", "prefect.yaml", ".gitattributes", ".gitignore", ".dvcignore", ".dvc/config"),
    *("stages/*.py", "flows/*.py", "docs/parameters.md"),
)
# Folders that DVC watches, so that they have to be there.
WATCHED = (
    *("data/raw", "data/raw-unlabelled", "data/slices"),
    *("models/arm", "models/import", "models/published", "models/start"),
)
_EXAMPLE = Path("examples") / "extensions"
_PACKAGE = re.compile(r"(?:^ +- kdtasks/.*\n)+", re.MULTILINE)  # in the stage `code`


class UpgradeResult(NamedTuple):
    """What an upgrade did.

    Attributes:
        before, after: the package, by name and version.
        written: files that were brought up to date.
        kept: files with own edits; the new ones are beside them, with `.new` after their names.
        added: keys that `params.yaml` got, with their defaults.
        reruns: by stage that ran before and will run again, the files of code that have changed
            since; none where the list of its code is not here.
        following: stages that run again if those before them come out different.
    """

    before: str
    after: str
    written: list[str]
    kept: list[str]
    added: list[str]
    reruns: dict[str, list[str]]
    following: list[str]


def make_watched(project: Path) -> None:
    """Make the folders that DVC watches, empty, where they are not there."""
    for folder in WATCHED:
        if not (project / folder).exists():
            write_text(project / folder / ".gitkeep", "")


def write_project(project: Path) -> None:
    """Write the files, an extension to begin with and the hash of the installed code."""
    for name, text in _files():
        write_text(project / name, text)
    for folder in (Path("extensions"), _EXAMPLE):
        for path in sorted((template_folder() / folder).glob("*.py")):
            write_text(project / "extensions" / path.name, path.read_text(encoding="utf-8"))
    _write_code(project)


def upgrade(project: Path) -> UpgradeResult:
    """Bring a project's files to those of the installed package, and its hash to its code.

    Files with own edits stay, and so does every value in `params.yaml`.

    Raises:
        ProjectError: the project is a clone, or was not begun by `kdtasks init`.
        ParamsError: the installed package does not understand `params.yaml`; nothing was changed.
    """
    paths, record = ProjectPaths(project), project / CODE / INSTALLED
    if home_of(project) == project:
        raise ProjectError(
            f"{project} is a clone of kdtasks and runs its own code; `git pull` upgrades it"
        )
    if not record.is_file():
        raise ProjectError(
            f"{record} not found: `kdtasks init` did not begin this project, so nobody knows which "
            "of its files are edited; begin one beside it, and copy params.yaml into it"
        )
    params, missing = load_with_missing_keys(paths.params)
    before = record.read_text(encoding="utf-8")
    make_watched(project)
    written, kept = _bring_up_to_date(project)
    if missing:
        write_text(paths.params.with_name("params.yaml.bak"), paths.params.read_text("utf-8"))
        write_text(paths.params, render_params(params))
    _write_code(project)
    list_links(project, params.data)
    reruns, following = _reruns(project, params)
    names = [" ".join(line.split()[:2]) for line in (before, package_line())]
    return UpgradeResult(names[0], names[1], written, kept, missing, reruns, following)


def _bring_up_to_date(project: Path) -> tuple[list[str], list[str]]:
    """Write the files that have no own edits; give their names, and those of the others."""
    known, files = read_hashes(project / _TEMPLATE), dict(_files())
    written, kept = [], []
    for name in sorted(known.keys() - files.keys()):  # files that there are no more
        path = project / name
        if path.is_file() and _hash_of(name, path.read_text(encoding="utf-8")) == known[name]:
            path.unlink()
            written.append(name)
    for name, text in files.items():
        path, new = project / name, project / f"{name}.new"
        found = _hash_of(name, path.read_text(encoding="utf-8")) if path.is_file() else None
        if found == _hash_of(name, text):
            continue
        if found in (None, known.get(name)):
            write_text(path, text)
            written.append(name)
        elif known.get(name) != _hash_of(name, text):
            write_text(new, text)
            kept.append(name)
    return sorted(written), kept


def _files() -> Iterator[tuple[str, str]]:
    folder = template_folder()
    for pattern in _PATTERNS:
        for path in sorted(folder.glob(pattern)):
            name, text = path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
            if path.name == PIPELINE:
                text = _PACKAGE.sub(f"      - {CODE}/{INSTALLED}\n", text)
            yield name, text


def _hash_of(name: str, text: str) -> str:
    """SHA-256, hex, of a file without what is filled in for the project that it lies in."""
    if name == PIPELINE:
        text = with_links(text, [])
    return hashlib.sha256(text.encode()).hexdigest()


def _write_code(project: Path) -> None:
    """Write everything below `code/`."""
    hashes = {name: _hash_of(name, text) for name, text in _files()}
    write_text(project / _TEMPLATE, hash_lines(hashes))
    write_text(project / CODE / INSTALLED, package_line())


def _reruns(project: Path, params: Params) -> tuple[dict[str, list[str]], list[str]]:
    """Of stages whose code has changed, those that have run; and all that read what they wrote."""
    paths, changed = ProjectPaths(project), {}
    lock = read_lock(paths.lock) if paths.lock.is_file() else {}
    codes = listings(project, params.model_dump())
    for name, stage in lock.items():
        listed = paths.code / f"{_base(name)}.txt"
        known = stage.inputs.get(listed.relative_to(project).as_posix())
        text = codes.get(_base(name))
        if known is None or text is None:
            continue
        if hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != known:
            changed[name] = _differences(read_hashes(listed), text)
    reruns = {_base(name): names for name, names in changed.items()}
    after = dict.fromkeys(map(_base, stages_after(list(changed), lock)))
    return reruns, [name for name in after if name not in reruns]


def _differences(before: dict[str, str], text: str) -> list[str]:
    return sorted({name for name, _ in before.items() ^ parse_hashes(text).items() if before})


def _base(stage: str) -> str:
    """The name of a stage without its seed or variant."""
    return stage.partition("@")[0]
