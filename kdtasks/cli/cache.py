"""`kdtasks verify --cache`: hash what DVC has cached, and mend what is damaged."""

from pathlib import Path

from kdtasks.cli.output import print_result
from kdtasks.cli.status import Status
from kdtasks.orchestrate.runner.damage import find_damaged, repair


def verify_cache(project: Path, *, as_json: bool) -> Status:
    """Print what was damaged and what became of it."""
    damaged = find_damaged(project)
    lost = repair(project, damaged)
    fates = [(file, file in lost) for file in damaged]
    lines = [
        f"{file.path} of {file.stage}: "
        + ("lost: `kdtasks run` makes it anew" if gone else "repaired")
        for file, gone in fates
    ]
    lines.append(f"{len(damaged)} damaged, {len(damaged) - len(lost)} repaired")
    found = [{"path": file.path, "stage": file.stage, "lost": gone} for file, gone in fates]
    print_result(found, "\n".join(lines), as_json=as_json)
    return Status.FAILED if lost else Status.DONE
