"""Time of `kdtasks run` against `dvc repro` and an earlier commit, in the same run.

In scratch clones of this project with empty caches of their own: the whole pipeline by `dvc repro`
and by `kdtasks run --workers 2`, in turn, then each once more with nothing to do, and after
`kdtasks run` one further point of a sweep, whose data, teacher and targets are cached. With
`--against COMMIT` the same by the code of that commit. Then a wide DAG of 19 stages of a third of
a second each by `kdtasks run --workers 1`: what the runner takes a stage beyond the commands
themselves. Wall times mean little on a busy machine; processor times are given beside them.

    python -m benchmarks.parallel_run [--recipe digits] [--repeats 1] [--against COMMIT]
        [--ways repro run]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kdtasks.orchestrate.project.clone import make_scratch_clone
from kdtasks.orchestrate.project.project import DVC, child_environment, find_project

KDTASKS = (sys.executable, "-m", "kdtasks")
COMMANDS = {
    "repro": (*DVC, "repro"),
    "run": (*KDTASKS, "run", "--workers", "2", "--no-prefect"),
}
POINT = "distill.alpha=0.2"
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org")
PAUSE = 0.3  # seconds of a stage of the wide DAG
WIDTH, DEPTH = 6, 3


class Times(NamedTuple):
    """Seconds of a command: on the clock, and of the processor."""

    wall: float
    processor: float


def main() -> None:
    """Print what was timed, and as the last line one JSON object with the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mnist-5k", help="params file of recipes/")
    parser.add_argument("--repeats", type=int, default=1, help="rounds of whole runs")
    parser.add_argument("--against", metavar="COMMIT", help="time the code of this one as well")
    parser.add_argument("--ways", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    arguments = parser.parse_args()
    project = find_project()
    with tempfile.TemporaryDirectory() as name, _checkout(project, arguments.against) as before:
        folder = Path(name)
        ways = {
            (code, way): (source, command)
            for code, source in {"today": project, "before": before}.items()
            if source
            for way, command in COMMANDS.items()
            if way in arguments.ways
        }
        rounds = [
            {
                key: _time_whole(
                    source, folder / str(repeat) / "-".join(key), arguments.recipe, command
                )
                for key, (source, command) in ways.items()
            }
            for repeat in range(arguments.repeats)
        ]
        overhead = _time_overhead(folder / "wide")
    result = {"recipe": arguments.recipe, "repeats": arguments.repeats} | _ratios(rounds)
    print(json.dumps(result | {"overhead_seconds_a_stage": round(overhead, 3)}))


@contextmanager
def _checkout(project: Path, commit: str | None) -> Iterator[Path | None]:
    """A worktree of an earlier commit, while it is needed; None of none."""
    if not commit:
        yield None
        return
    git = ["git", "-C", str(project), "worktree"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "before"
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def _time_whole(
    source: Path, folder: Path, recipe: str, command: tuple[str, ...]
) -> dict[str, Times]:
    project = make_scratch_clone(source, folder, {})
    # by its own code, whose params may have other keys
    subprocess.run([*KDTASKS, "recipe", "use", recipe], cwd=project, check=True)
    times = {"whole": _time(command, project), "nothing": _time(command, project)}
    if "run" in command:
        for words in (["add", "--all"], ["commit", "--quiet", "--message", "all"]):
            subprocess.run(["git", *IDENTITY, *words], cwd=project, check=True)
        times["point"] = _time((*KDTASKS, "sweep", "-S", POINT, "--workers", "2"), project)
    shown = ", ".join(
        f"{name} {one.wall:.1f} s (processor {one.processor:.1f} s)" for name, one in times.items()
    )
    print(f"{folder.name}: {shown}", flush=True)
    return times


def _ratios(rounds: list[dict[tuple[str, str], dict[str, Times]]]) -> dict[str, float]:
    """Medians over the rounds: of ratios, each for wall and processor time, and of seconds."""

    def ratio(over: tuple[str, str, str], under: tuple[str, str, str]) -> dict[str, float]:
        pairs = [(one[over[:2]][over[2]], one[under[:2]][under[2]]) for one in rounds]
        return {
            kind: round(statistics.median(getattr(a, kind) / getattr(b, kind) for a, b in pairs), 3)
            for kind in Times._fields
        }

    compared = {
        "run_over_repro": (("today", "run", "whole"), ("today", "repro", "whole")),
        **{
            f"{name}_over_before": (("today", way, what), ("before", way, what))
            for name, way, what in (
                ("repro", "repro", "whole"),
                ("run", "run", "whole"),
                ("point", "run", "point"),
            )
        },
    }
    found = {
        name: ratio(*both)
        for name, both in compared.items()
        if all(one[:2] in rounds[0] for one in both)
    }
    result = {f"{name}_{kind}": it for name, both in found.items() for kind, it in both.items()}
    for way in (way for code, way in rounds[0] if code == "today"):
        seconds = [one["today", way]["nothing"].wall for one in rounds]
        result[f"nothing_to_do_{way}_seconds"] = round(statistics.median(seconds), 2)
    return result


def _time_overhead(project: Path) -> float:
    """Seconds a stage that one worker takes longer than the commands alone."""
    project.mkdir()
    for words in (["git", "init", "--quiet"], [*DVC, "init", "--quiet"]):
        subprocess.run(words, cwd=project, env=child_environment(), check=True)
    stages, commands = _wide_stages()
    (project / "dvc.yaml").write_text(stages, encoding="utf-8")
    (project / "source").write_text("source", encoding="utf-8")
    program = (
        "from pathlib import Path; from types import SimpleNamespace\n"
        "from kdtasks.orchestrate.runner.execute import RunOptions, execute\n"
        "nothing = lambda *arguments: None\n"
        "execute(Path.cwd(), RunOptions(workers=1), SimpleNamespace(begin=nothing, end=nothing,\n"
        "    skip=nothing, perform=lambda node, work: work(nothing)))"
    )
    ours = _time((sys.executable, "-c", program), project).wall
    start = time.perf_counter()
    for command in commands:
        subprocess.run(["sh", "-c", command], cwd=project, check=True)
    bare = time.perf_counter() - start
    print(f"{len(commands)} stages: {ours:.1f} s by kdtasks run, {bare:.1f} s by hand")
    return (ours - bare) / len(commands)


def _wide_stages() -> tuple[str, list[str]]:
    lines, commands = ["stages:"], []
    for layer in range(DEPTH + 1):
        for place in range(WIDTH if layer < DEPTH else 1):
            reach = WIDTH if layer == DEPTH else 2
            inputs = [f"out-{layer - 1}-{(place + step) % WIDTH}" for step in range(reach)]
            inputs = inputs if layer else ["source"]
            command = f"sleep {PAUSE}; cat {' '.join(inputs)} > out-{layer}-{place}"
            commands.append(command)
            lines += [
                f"  s{layer}-{place}:",
                f"    cmd: '{command}'",
                f"    deps: [{', '.join(inputs)}]",
                f"    outs: [out-{layer}-{place}]",
            ]
    return "\n".join(lines) + "\n", commands


def _time(command: tuple[str, ...], folder: Path) -> Times:
    start, before = time.perf_counter(), _processor_seconds()
    subprocess.run(
        command,
        cwd=folder,
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return Times(time.perf_counter() - start, _processor_seconds() - before)


def _processor_seconds() -> float:
    """Of all children that have ended, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    main()
