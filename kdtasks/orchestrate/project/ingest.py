"""Take new images from a folder into the one that DVC watches."""

import filecmp
import shutil
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import ProjectError
from kdtasks.core.files import atomic_file
from kdtasks.data.checks import listed
from kdtasks.data.folders import files_below, visible_entries
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import sources
from kdtasks.orchestrate.project.project import find_imports


class IngestResult(NamedTuple):
    """Numbers of files that were copied, and that were there already."""

    copied: int
    known: int


def ingest(source: Path, project: Path, data: DataParams) -> IngestResult:
    """Copy what is new in a folder into `data.path`, with the folders that it lies in.

    Nothing is taken away or overwritten. A file appears whole or not at all; taking from the same
    folder again goes on where a run that was killed has stopped. Hidden files are left alone, so
    whoever fills the folder can write under a hidden name and rename.

    Args:
        source: folders as in `data.path`: one a class, or images and masks.
        data: section `data`, of the project in `project`.

    Raises:
        ProjectError: `data.path` is not where the images come from; or the folder is missing,
            holds what has no place there, or a file by a name that another one has. Then nothing
            was copied.
    """
    target = project / data.path
    if not data.source.is_folder:
        folders = [name for name in sources.names() if sources[name].is_folder]
        raise ProjectError(
            f"data.source is {data.source.name}, which takes no images from data.path; new ones "
            f"can be taken from a folder only with {' or '.join(folders)}"
        )
    if Path(f"{data.path}.dvc") in map(Path, find_imports(project)):
        raise ProjectError(
            f"{data.path} is an import of DVC's; put new images where {data.path}.dvc takes it from"
        )
    if not source.is_dir():
        raise ProjectError(f"{source} is not a folder; give one with folders as in {target}")
    inner, outer = source.resolve(), target.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise ProjectError(f"one of {source} and {target} contains the other; give another folder")
    for leftover in target.rglob(".*.partial*"):
        leftover.unlink()
    files = [path.relative_to(source) for path in files_below(source)]
    problems = _problems(source, target, files)
    if problems:
        raise ProjectError(
            f"{source} cannot be taken into {target}, nothing was copied:\n{listed(problems)}"
        )
    new = [path for path in files if not (target / path).exists()]
    for path in new:
        with atomic_file(target / path) as partial:
            shutil.copy2(source / path, partial)  # with its date, so that both compare quickly
    return IngestResult(len(new), len(files) - len(new))


def _problems(source: Path, target: Path, files: list[Path]) -> list[str]:
    folders = {path.name for path in visible_entries(target) if path.is_dir()}
    problems = []
    for path in files:
        if len(path.parts) == 1:
            problems.append(f"{path}: beside the folders, not in one of them")
        elif folders and path.parts[0] not in folders:
            problems.append(
                f"{path}: {target} has no folder {path.parts[0]}; make it there if that is meant"
            )
        elif (target / path).exists() and not filecmp.cmp(source / path, target / path):
            problems.append(f"{path}: {target} has another file of that name; rename one")
    return problems
