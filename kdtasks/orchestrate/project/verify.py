"""Compare every hash of a project's results: with a second run's, or with those of another lock."""

import json
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.processes import run_streamed, stop_signals
from kdtasks.orchestrate.project.clone import make_scratch_clone, replace_outputs
from kdtasks.orchestrate.project.lockfile import (
    Lock,
    OutputRow,
    compare_outputs,
    first_difference,
    read_lock,
    stages_after,
    timing_stages,
)
from kdtasks.orchestrate.project.project import DVC, child_environment, run_captured

HASH_SHOWN = 12  # characters in the table; --out has them all


def verify_project(project: Path, *, keep: bool = False, out: Path | None = None) -> bool:
    """Run the whole pipeline again in a scratch clone and print both hashes of every output.

    Timings may differ. What is made from them (the report) is made once more from the original
    timings, and must then be the same: it is a function of its inputs and of nothing else.

    Args:
        keep: leave the clone where it is; without it only a clone that differs is left.
        out: a JSON file for both lists of hashes.

    Returns: whether every output but the timings is the same.

    Raises:
        ProjectError: dvc.lock is missing or not up to date, or the second run failed.
    """
    project = project.resolve()
    here = _current_lock(project)
    base = Path(tempfile.mkdtemp(prefix="kdtasks-verify-"))
    with stop_signals(), ExitStack() as clean_up:
        clean_up.callback(shutil.rmtree, base, ignore_errors=True)
        clone = make_scratch_clone(project, base, here)
        print(f"second run without any cache, in {clone}", flush=True)
        try:
            there = _run_again(project, clone, here)
        except ProjectError:
            clean_up.pop_all()
            raise
        is_same = _show(compare_outputs(here, there), here, there, out)
        if keep or not is_same:
            clean_up.pop_all()
            print(f"the clone is kept in {clone}")
        return is_same


def compare_with(project: Path, against: Path, *, out: Path | None = None) -> bool:
    """Print the hashes of a project's outputs beside those of another lock; nothing runs.

    Timings may differ, and what is made from them (the report) as well.

    Args:
        project: a project whose dvc.lock is up to date.
        against: a dvc.lock, or the folder of a project with one.
        out: a JSON file for both lists of hashes.

    Returns:
        Whether all other outputs are the same; one that only one lock has is not.

    Raises:
        ProjectError: a lock is missing or none, or the project's is not up to date.
    """
    other = against / "dvc.lock" if against.is_dir() else against
    if not other.is_file():
        raise ProjectError(
            f"{other} not found; give a dvc.lock, or the folder of a project that has one"
        )
    here, there = _current_lock(project), read_lock(other)
    measured = {name for lock in (here, there) for name in stages_after(timing_stages(lock), lock)}
    return _show(compare_outputs(here, there, measured=measured), here, there, out)


def _show(rows: list[OutputRow], here: Lock, there: Lock, out: Path | None) -> bool:
    """Print the rows, write both locks to `out`, and tell whether no row is DIFFERENT."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    counts = Counter(row.verdict for row in rows)
    console = Console()
    if counts["DIFFERENT"] and (difference := first_difference(here, there)):
        console.print(difference, style="bold red", markup=False)
    table = Table("output", "hash here", "hash there", "")
    styles = {"same": "green", "timing": "yellow", "DIFFERENT": "bold red"}
    for row in rows:
        hashes = [(value or "none")[:HASH_SHOWN] for value in (row.here, row.there)]
        table.add_row(escape(row.path), *hashes, f"[{styles[row.verdict]}]{row.verdict}[/]")
    console.print(table)
    console.print(
        f"{counts['same']} same, {counts['timing']} timing, {counts['DIFFERENT']} different"
    )
    if out:
        locks = {"here": here, "there": there}
        write_json(
            out,
            {
                side: {name: stage._asdict() for name, stage in lock.items()}
                for side, lock in locks.items()
            },
        )
    return not counts["DIFFERENT"]


def _current_lock(project: Path) -> Lock:
    path = ProjectPaths(project).lock
    if not path.is_file():
        raise ProjectError(f"{path} not found; `kdtasks run` writes it, then verify")
    changed = sorted(json.loads(_output_of_dvc(project, "status", "--json")))
    if changed:
        shown = ", ".join(changed[:5]) + (", …" if len(changed) > 5 else "")
        raise ProjectError(
            f"dvc.lock is not up to date with the project (changed: {shown}); "
            "`kdtasks run` brings it up to date, then verify"
        )
    # The lock keeps stages that the pipeline has no more, such as those of former seeds.
    current = set(_output_of_dvc(project, "stage", "list", "--name-only").split())
    return {name: stage for name, stage in read_lock(path).items() if name in current}


def _output_of_dvc(project: Path, *words: str) -> str:
    ended = run_captured(project, *DVC, *words)
    if ended.returncode != 0:
        raise ProjectError(f"`dvc {words[0]}` failed: {' '.join(ended.stderr.split())}")
    return ended.stdout


def _run_again(project: Path, clone: Path, here: Lock) -> Lock:
    """The clone's lock after a full run, and after one of the report from the original timings."""
    _dvc(clone, "repro")
    fresh = read_lock(ProjectPaths(clone).lock)
    timings = [name for name in timing_stages(here) if name in fresh]
    dependants = [name for name in stages_after(timings, here) if name in fresh]
    if not (timings and dependants):
        return fresh
    replace_outputs(project, clone, [path for name in timings for path in here[name].outputs])
    _dvc(clone, "commit", "--force", *timings)
    _dvc(clone, "repro", *dependants)
    again = read_lock(ProjectPaths(clone).lock)
    return {name: stage if name in timings else again[name] for name, stage in fresh.items()}


def _dvc(clone: Path, *words: str) -> None:
    print_line = partial(print, flush=True)
    command = [*DVC, *words]
    status = run_streamed(
        command, folder=clone, environment=child_environment(), on_line=print_line
    )
    if status != 0:
        raise ProjectError(
            f"`dvc {words[0]}` ended with status {status} in the scratch clone {clone}; "
            "its output is above"
        )
