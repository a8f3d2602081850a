"""How long one waits before anything happens: commands that do next to nothing, against a commit.

    python -m benchmarks.start HEAD~20 --repeats 10

Each command runs in turn with the code of this folder and with that of the commit, in a worktree
that is made for it, so that both see the same load; the first round of either is not counted.
Processor time of the process and its children counts, and the wall clock is shown beside it. A row
is the median of each, and the median of the ratios of the rounds. `run` is of a project of four
small stages that are up to date, made here.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "results" / "mlperf-tiny" / "int8.tflite"
# as the script `kdtasks` that pip installs
KDTASKS = """
import sys
sys.argv[0] = "kdtasks"
from kdtasks.cli.main import main
main()
"""
STAGES = """\
stages:
  first:
    cmd: cp source first
    deps: [source]
    outs: [first]
  second:
    matrix: {item: [a, b]}
    cmd: cp first second-${item.item}
    deps: [first]
    outs: ["second-${item.item}"]
  last:
    cmd: cp second-a last
    deps: [second-a, second-b]
    outs: [last]
"""


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """The code of a commit, as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="kdtasks-start-") as scratch:
        folder = Path(scratch) / "code"
        git = ("git", "-C", str(ROOT), "worktree")
        subprocess.run([*git, "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def make_project(folder: Path) -> None:
    """A DVC project whose stages copy a file; it has not run yet."""
    folder.mkdir()
    (folder / "source").write_text("source", encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=folder, check=True)


def measure(words: list[str], code: Path, folder: Path, variables: Mapping[str, str]) -> np.ndarray:
    """Processor and wall seconds of one command."""
    environment = {**os.environ, "PYTHONPATH": str(code), **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", KDTASKS, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commit", help="to compare with")
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    complete = {
        "_KDTASKS_COMPLETE": "complete_bash",
        "COMP_WORDS": "kdtasks\nrecipe\nuse\n",
        "COMP_CWORD": "3",
    }
    with worktree(options.commit) as earlier, tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.png"
        PIL.Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(image)
        projects = {code: Path(scratch) / name for name, code in (("now", ROOT), ("then", earlier))}
        for code, folder in projects.items():
            make_project(folder)
            text = (code / "params.yaml").read_text(encoding="utf-8")
            (folder / "params.yaml").write_text(text, encoding="utf-8")
            for path in (
                "data/raw",
                "data/raw-unlabelled",
                "models/import",
                "data/slices",
                "models/arm",
                "models/start",
            ):
                (folder / path).mkdir(parents=True)
        commands: dict[str, tuple[list[str], Mapping[str, str]]] = {
            "--help": (["--help"], {}),
            "--version": (["--version"], {}),
            "completion of a recipe": ([], complete),
            "predict, one image": (["predict", str(MODEL), str(image)], {}),
            "models of an empty store": (["models", "--store", scratch], {}),
            "run, nothing to do": (["run", "--no-prefect"], {}),
        }
        print(f"{'':24}{'seconds':>10}{'earlier':>10}{'ratio':>8}{'wall':>10}{'earlier':>10}")
        for name, (words, variables) in commands.items():
            rounds = [
                [measure(words, code, folder, variables) for code, folder in projects.items()]
                for _ in range(options.repeats + 1)
            ]
            times = np.array(rounds[1:])  # [rounds, now or then, processor or wall]
            (now, wall), (then, wall_then) = np.median(times, axis=0)
            ratio = statistics.median(times[:, 0, 0] / times[:, 1, 0])
            print(
                f"{name:24}{now:10.2f}{then:10.2f}{ratio:8.2f}{wall:10.2f}{wall_then:10.2f}",
                flush=True,
            )
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
