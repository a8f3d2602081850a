"""The files that a project gets from the installed package, and how they are kept up to date."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.code import Code, home_of
from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_text
from kdtasks.core.installed import (
    CODE,
    INSTALLED,
    hash_lines,
    package_line,
    read_hashes,
    template_folder,
)
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.dependencies import (
    code_of,
    with_dependencies,
    write_installed_code,
)
from kdtasks.orchestrate.project.links import list_links
from kdtasks.orchestrate.project.lockfile import read_lock, stages_after
from kdtasks.params.load import load_with_missing_keys
from kdtasks.params.write import render_params

_TEMPLATE = f"{CODE}/template"  # hashes of the files as they were written
_PATTERNS = (
    *("dvc.yaml", "prefect.yaml", ".gitattributes", ".gitignore", ".dvcignore", ".dvc/config"),
    *("stages/*.py", "flows/*.py", "docs/parameters.md"),
)
_EXAMPLE = Path("examples") / "extensions"
_FILLED_IN = re.compile(
    r"^ *# (code|linked folders)\b.*, written by .*\n(?:.*\n)*?^ *# end of \1\n", re.MULTILINE
)


class Upgraded(NamedTuple):
    """What an upgrade did.

    Attributes:
        before, after: the package, by name and version.
        written: files that were brought up to date.
        kept: files with own edits; the new ones are beside them, with `.new` after their names.
        added: keys that `params.yaml` got, with their defaults.
        reruns: by stage that ran before, the files of code whose change makes it run again.
        following: stages that run again if those before them come out different.
    """

    before: str
    after: str
    written: list[str]
    kept: list[str]
    added: list[str]
    reruns: dict[str, list[str]]
    following: list[str]


def write_project(project: Path) -> None:
    """Write the files, an extension to begin with and the hashes of the installed code."""
    for name, text in _files():
        write_text(project / name, text)
    for folder in (Path("extensions"), _EXAMPLE):
        for path in sorted((template_folder() / folder).glob("*.py")):
            write_text(project / "extensions" / path.name, path.read_text(encoding="utf-8"))
    _write_code(project)


def upgrade(project: Path) -> Upgraded:
    """Bring a project's files to those of the installed package, and its hashes to its code.

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
    written, kept = _bring_up_to_date(project)
    if missing:
        write_text(paths.params.with_name("params.yaml.bak"), paths.params.read_text("utf-8"))
        write_text(paths.params, render_params(params))
    changed = _write_code(project)
    list_links(project, params.data)
    reasons, code = {}, Code(project)
    for stage, names in changed.items():
        own, _ = code_of(project / "stages" / f"{stage}.py", project, code)
        reasons[stage] = [*(name for name in own if name in written), *names]
    reruns, following = _reruns(project, {stage: why for stage, why in reasons.items() if why})
    names = [" ".join(line.split()[:2]) for line in (before, package_line())]
    return Upgraded(names[0], names[1], written, kept, missing, reruns, following)


def _bring_up_to_date(project: Path) -> tuple[list[str], list[str]]:
    """Write the files that have no own edits; give their names, and those of the others."""
    known, files = read_hashes(project / _TEMPLATE), dict(_files())
    written, kept = [], []
    for name in sorted(known.keys() - files.keys()):  # files that there are no more
        path = project / name
        if path.is_file() and _hash_of(path.read_text(encoding="utf-8")) == known[name]:
            path.unlink()
            written.append(name)
    for name, text in files.items():
        path, new = project / name, project / f"{name}.new"
        found = _hash_of(path.read_text(encoding="utf-8")) if path.is_file() else None
        if found == _hash_of(text):
            continue
        if found in (None, known.get(name)):
            write_text(path, text)
            written.append(name)
        elif known.get(name) != _hash_of(text):
            write_text(new, text)
            kept.append(name)
    return sorted(written), kept


def _files() -> Iterator[tuple[str, str]]:
    folder = template_folder()
    for pattern in _PATTERNS:
        for path in sorted(folder.glob(pattern)):
            yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


def _hash_of(text: str) -> str:
    """SHA-256, hex, of a file without what is filled in for the project that it lies in."""
    return hashlib.sha256(_FILLED_IN.sub("", text).encode()).hexdigest()


def _write_code(project: Path) -> dict[str, list[str]]:
    """Write everything below `code/`, and the code that `dvc.yaml` watches."""
    pipeline = ProjectPaths(project).pipeline
    write_text(pipeline, with_dependencies(pipeline.read_text(encoding="utf-8"), project))
    changed = write_installed_code(project)
    for path in (project / CODE).iterdir():
        if path.name not in {*changed, INSTALLED, Path(_TEMPLATE).name}:
            path.unlink()  # of a stage that there is no more
    hashes = {name: _hash_of(text) for name, text in _files()}
    write_text(project / _TEMPLATE, "".join(hash_lines(hashes)))
    write_text(project / CODE / INSTALLED, package_line())
    return changed


def _reruns(project: Path, reasons: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Of stages whose code has changed, those that have run; and all that read what they wrote."""
    path = ProjectPaths(project).lock
    lock = read_lock(path) if path.is_file() else {}
    changed = [name for name in lock if _base(name) in reasons]
    after = dict.fromkeys(map(_base, stages_after(changed, lock)))
    reruns = {name: reasons[name] for name in dict.fromkeys(map(_base, changed))}
    return reruns, [name for name in after if name not in reruns]


def _base(stage: str) -> str:
    """The name of a stage without its seed or variant."""
    return stage.partition("@")[0]
