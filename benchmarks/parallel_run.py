"""Wall time of `kdtasks run` against `dvc repro`, on the same project in the same run.

In scratch clones of this project with empty caches of their own: the whole pipeline by `dvc repro`
and by `kdtasks run --workers 2`, in turn, then each once more with nothing to do. Then a wide DAG
of 19 stages of a third of a second each by `kdtasks run --workers 1`: what the runner takes a stage
beyond the commands themselves.

    python -m benchmarks.parallel_run [--recipe digits] [--repeats 1]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdtasks.orchestrate.project.clone import make_scratch_clone
from kdtasks.orchestrate.project.project import DVC, child_environment, find_project
from kdtasks.orchestrate.project.recipes import use_recipe

KDTASKS = (sys.executable, "-m", "kdtasks")
PAUSE = 0.3  # seconds of a stage of the wide DAG
WIDTH, DEPTH = 6, 3


def main() -> None:
    """Print what was timed, and as the last line one JSON object with the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="mnist-5k", help="params file of recipes/")
    parser.add_argument("--repeats", type=int, default=1, help="pairs of whole runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = [
            _time_pair(Path(folder) / str(repeat), arguments.recipe)
            for repeat in range(arguments.repeats)
        ]
        overhead = _time_overhead(Path(folder) / "wide")
    ratio = statistics.median(run["whole"] / repro["whole"] for repro, run in pairs)
    result = {
        "recipe": arguments.recipe,
        "repeats": arguments.repeats,
        "run_over_repro": round(ratio, 3),
        "overhead_seconds_a_stage": round(overhead, 3),
        "nothing_to_do_seconds": round(statistics.median(run["nothing"] for _, run in pairs), 2),
        "nothing_to_do_repro_seconds": round(
            statistics.median(repro["nothing"] for repro, _ in pairs), 2
        ),
    }
    print(json.dumps(result))


def _time_pair(folder: Path, recipe: str) -> tuple[dict[str, float], dict[str, float]]:
    repro = _time_whole(folder / "repro", recipe, (*DVC, "repro"))
    run = _time_whole(folder / "run", recipe, (*KDTASKS, "run", "--workers", "2", "--no-prefect"))
    return repro, run


def _time_whole(folder: Path, recipe: str, command: tuple[str, ...]) -> dict[str, float]:
    project = make_scratch_clone(find_project(), folder, {})
    use_recipe(project, recipe, force=True)
    times = {"whole": _time(command, project), "nothing": _time(command, project)}
    words = " ".join(command[2:])
    print(f"{words:<40} {times['whole']:7.1f} s, nothing to do {times['nothing']:5.2f} s")
    return times


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
    ours = _time((sys.executable, "-c", program), project)
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


def _time(command: tuple[str, ...], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    main()
