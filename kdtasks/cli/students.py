"""Search for a student: measure, train the promising, show the front of accuracy and cost."""

from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from kdtasks.cli.output import interruptible, json_output, print_table
from kdtasks.cli.run import run_pipeline
from kdtasks.core.errors import SweepError
from kdtasks.core.text import percent, quantity
from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.execute import RunOptions
from kdtasks.orchestrate.runner.lines import LineOutput
from kdtasks.orchestrate.search.summary import FOLDER, limits_text
from kdtasks.orchestrate.students.footprint import Footprint, Scales
from kdtasks.orchestrate.students.projects import NEEDED, make_projects
from kdtasks.orchestrate.students.record import StudentSearchSummary
from kdtasks.orchestrate.students.space import Student, check_space, list_students
from kdtasks.orchestrate.students.study import StudentSearch, run_search
from kdtasks.orchestrate.students.summary import (
    headings,
    keep_experiments,
    rows,
    summarise,
    write_page,
)
from kdtasks.orchestrate.sweep.engine import one_sweep_at_a_time
from kdtasks.orchestrate.tune.study import ending, prepare_process
from kdtasks.params import Params


def run_students(
    project: Path,
    params: Params,
    *,
    out: Path | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Try students within the limits, and draw the front of accuracy against cost.

    Args:
        params: of the project, with the limits of this search.
        out, dry_run, as_json: as of `run_search`.

    Returns: 0, or the status of the stages that trials need, where one failed.

    Raises:
        typer.Exit: with status 130, it was stopped by Ctrl-C, SIGTERM or SIGHUP.
        SweepError: no student is within the limits, or another search is running.
    """
    output = LineOutput()
    check_space(params, project)
    students, left_out = list_students(params)
    with json_output(as_json) as emit:
        if dry_run:
            output.print("\n".join([*students, *(f"{k}: {why}" for k, why in left_out.items())]))
            emit([*students])
            return 0
        if status := run_pipeline(project, RunOptions(NEEDED)):
            return status
        after = "finished trials are kept: the same command resumes"
        with stop_signals(), interruptible(after), one_sweep_at_a_time(project):
            search, broken = _weighed(project, params, students, output)
            summary = _searched(search, left_out | broken, output)
            _print(summary, output)
            output.print(f"search: {write_page(out or project / FOLDER, summary)}")
            emit(summary.content())
    return 0


def _weighed(
    project: Path, params: Params, students: dict[str, Student], output: LineOutput
) -> tuple[StudentSearch, dict[str, str]]:
    """Keep the students that are within the limits; and why others are not."""
    prepare_process(params)
    scales = Scales(project, params)
    footprints: dict[str, Footprint] = {}
    broken: dict[str, str] = {}
    for label, student in students.items():
        footprint = scales.weigh(student)
        over = footprint.broken(params.search, scales.own_macs)
        if over:
            broken[label] = "; ".join(violation.reason for violation in over)
        else:
            footprints[label] = footprint
    within = {label: students[label] for label in footprints}
    output.print(
        f"{len(within)} of {quantity(len(students), 'student')} within the limits "
        f"({limits_text(params.search)}), before any training"
    )
    if not within:
        label, reason = next(iter(broken.items()))
        raise SweepError(
            f"none of {quantity(len(students), 'student')} is within the limits; {label}: "
            f"{reason}. Raise a limit, or give search.student smaller widths, depths or image_sizes"
        )
    sizes = [student.image_size for student in within.values()]
    own = (None, params.data.image_size, scales.image_size)
    projects = make_projects(project, own, sizes, output.print)
    return StudentSearch(project, params, within, footprints, projects), broken


def _searched(
    search: StudentSearch, left_out: dict[str, str], output: LineOutput
) -> StudentSearchSummary:
    def print_trial(third: str, student: Student, seed: int, trial: FrozenTrial) -> None:
        ended = ending(trial)
        if trial.state is TrialState.COMPLETE:
            ended = percent(trial.value)
        elif trial.intermediate_values and ended == "pruned":
            last = trial.intermediate_values[max(trial.intermediate_values)]
            ended = f"stopped at {percent(last)}"
        output.print(f"{third}: {student.label}, seed {seed}: {ended}")

    try:
        is_whole = run_search(search, print_trial, search.params.search.minutes)
    finally:
        keep_experiments(search)
    return summarise(search, left_out, is_whole=is_whole)


def _print(summary: StudentSearchSummary, output: LineOutput) -> None:
    columns = headings(summary.metric)
    print_table(
        [list(row.values()) for row in rows(summary)],
        list(columns.values()),
        right=[text for name, text in columns.items() if name not in ("trial", "front")],
    )
    lines = [summary.sentence]
    if summary.adopt:
        lines.append(f"to use it: {', '.join(summary.adopt)}; then kdtasks run")
    output.print("\n".join(lines))
