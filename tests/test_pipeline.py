"""The pipeline as a user runs it: `dvc repro` on a small copy of the project, and kills."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from kdtasks.atomic import read_json
from kdtasks.edge.model import Model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CODE = ("dvc.yaml", ".dvcignore", "stages", "kdtasks")
VARIANTS = ("float32", "filters+int8")
SEEDS = (0, 1)
# What differs from the default recipe: 900 pictures of 8×8, networks of a few thousand weights.
SMALL = {
    "recipe": "tiny-digits",
    "seeds": list(SEEDS),
    "data.name": "digits",
    "data.max_images": 900,
    "augmentation.views": 2,
    "train.batch_size": 32,
    "train.guard_epochs": 30,
    "teacher.model.filters": [8, 16],
    "teacher.model.dense": [16],
    "teacher.epochs": 30,
    "student.model.filters": [4, 8],
    "student.exits": ["block_1"],
    "distill.epochs": 30,
    "compress.variants": list(VARIANTS),
    "compress.filters.epochs": 2,
    "compress.calibration_images": 40,
    "exits.grid": 21,
    "evaluate.bootstrap_samples": 200,
    "benchmark.runs": 20,
    "benchmark.warmup": 2,
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def edit_params(project: Path, changes: dict[str, object]) -> None:
    """Set keys of `params.yaml`, each written with dots."""
    yaml, path = YAML(), project / "params.yaml"
    content = yaml.load(path)
    for key, value in changes.items():
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        assert last in section, key
        section[last] = value
    yaml.dump(content, path)


def environment(project: Path) -> dict[str, str]:
    """The environment of a shell in the project, with this Python first in the path."""
    left_out = {"PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    # The project's own copy of the code, which nobody edits while the tests run.
    return kept | {"PATH": path, "PYTHONPATH": str(project), "DVC_NO_ANALYTICS": "1"}


def run_in(project: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in the project to its end."""
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def stages_run(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The stages that `dvc repro` ran."""
    return set(re.findall(r"Running stage '(.+)':", done.stdout))


def content(*paths: Path) -> dict[str, bytes]:
    """Every file below the paths, to its bytes."""
    files = [
        file
        for path in paths
        for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if file.is_file()
    ]
    return {str(file): file.read_bytes() for file in files}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of small digits, run to its end once; tests leave it as it is."""
    project = tmp_path_factory.mktemp("pipeline") / "project"
    project.mkdir()
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, project / name, ignore=shutil.ignore_patterns("__pycache__", ".*partial*")
            )
        else:
            shutil.copy(source, project / name)
    for folder in ("data/raw", "models/import"):
        (project / folder).mkdir(parents=True)
        (project / folder / ".gitkeep").touch()
    shutil.copy(ROOT / "recipes" / "mnist-5k.yaml", project / "params.yaml")
    edit_params(project, SMALL)
    run_in(project, "dvc", "init", "--no-scm", "--quiet")
    run_in(project, "dvc", "repro")
    return project


@pytest.fixture
def bench(project: Path, tmp_path: Path) -> Path:
    """A copy of the project that holds what training needs and nothing that it writes."""
    bench = tmp_path / "bench"
    for name in ("kdtasks", "stages", "data"):
        shutil.copytree(project / name, bench / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project / "params.yaml", bench)
    return bench


def test_every_file_of_the_contract_is_there(project: Path):
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    splits = ("train", "validation", "calibration", "test")
    braces = {"{train,validation,calibration,test}": splits, "{…}": splits}
    expected = set()
    for row in re.findall(r"^\| (`.+?) \|", page, flags=re.MULTILINE):
        folder = ""
        for path in re.findall(r"`([^`]+)`", row):
            # `report/index.html`, `selection.json`: names after the first are beside it.
            folder = folder if "/" not in path else path.rpartition("/")[0]
            path = path if "/" in path else f"{folder}/{path}"
            for seed, variant in product(SEEDS, VARIANTS):
                name = path.replace("<seed>", str(seed)).replace("<variant>", variant)
                found = [brace for brace in braces if brace in name]
                for choice in braces[found[0]] if found else [""]:
                    expected.add(name.replace(found[0], choice) if found else name)
    assert len(expected) > 30
    assert [name for name in sorted(expected) if not (project / name).exists()] == []
    for folder, names in {
        "models/teacher": {"model.weights.h5", "model.json"},
        "models/student/1": {"model.weights.h5", "model.json"},
        "models/distill/0": {"model.weights.h5", "model.json"},
        "data/targets": {"views.npy", "labels.npy", "logits.npy", "targets.json"},
        "bundles/float32": {"model.tflite", "manifest.json", "labels.txt"},
        "report": {"index.html", "selection.json", "statistics.json", "summary.json"},
    }.items():
        assert names <= {path.name for path in (project / folder).iterdir()}, folder


def test_nothing_half_done_is_left(project: Path):
    assert [str(path) for path in project.rglob(".*partial*")] == []
    assert list((project / ".kdtasks" / "checkpoints").iterdir()) == []


def test_everything_learns(project: Path):
    comparison = read_json(project / "metrics" / "compare.json")
    assert comparison["teacher"]["accuracy"] > 0.9
    assert set(comparison["distill"]["by_seed"]) == {"0", "1"}
    assert comparison["distill"]["mean"] > 0.7
    assert comparison["gain"]["verdict"]


def test_metrics_of_training_say_what_was_trained(project: Path):
    for name in ("teacher", "student/0", "distill/1"):
        metrics = read_json(project / "metrics" / f"{name}.json")
        exits = 1 if name == "teacher" else 2
        assert len(metrics["validation"]["accuracy"]) == len(metrics["macs"]) == exits
        assert metrics["epochs"] == 30
        rows = (project / "plots" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        assert rows[0] == "epoch,loss,accuracy,validation_loss,validation_accuracy"
        assert len(rows) == 31
        last = dict(zip(rows[0].split(","), map(float, rows[-1].split(",")), strict=True))
        assert last["validation_loss"] == metrics["validation"]["loss"]
        assert last["validation_accuracy"] == metrics["validation"]["accuracy"][-1]


def test_nothing_runs_the_second_time(project: Path):
    done = run_in(project, "dvc", "repro")
    assert stages_run(done) == set()
    assert "Data and pipelines are up to date." in done.stdout


def test_the_report_has_its_headline(project: Path):
    page = (project / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Distillation report: tiny-digits</h1>" in page
    headline = re.search(r'<p class="headline">(.+?)</p>', page, flags=re.DOTALL)
    assert headline is not None
    assert "%" in headline.group(1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_metrics_of_evaluate_agree_with_its_predictions(project: Path, variant: str):
    metrics = read_json(project / "metrics" / "evaluate" / f"{variant}.json")
    macs = np.array(read_json(project / "metrics" / "compress" / f"{variant}.json")["macs"])
    with np.load(project / "predictions" / f"{variant}.npz") as arrays:
        labels, predicted = arrays["labels"], arrays["predicted"]
        exit_index, logits = arrays["exit_index"], arrays["logits"]
    rows, exits = len(labels), len(macs)
    np.testing.assert_array_equal(labels, np.load(project / "data/prepared/test_labels.npy"))
    assert metrics["rows"] == rows
    assert logits.shape == (rows, exits, 10)
    by_exit = logits.argmax(axis=-1)
    np.testing.assert_array_equal(predicted, by_exit[np.arange(rows), exit_index])
    assert metrics["accuracy"] == pytest.approx((predicted == labels).mean())
    assert metrics["full"]["accuracy"] == pytest.approx((by_exit[:, -1] == labels).mean())
    low, high = metrics["interval"]
    assert low < metrics["accuracy"] < high
    assert metrics["cost"] == pytest.approx((macs[exit_index] / macs[-1]).mean())
    taken = [exit_["taken"] for exit_ in metrics["exits"]]
    assert taken == pytest.approx(np.bincount(exit_index, minlength=exits) / rows)
    overall = sum(exit_["taken"] * (exit_["accuracy_taken"] or 0) for exit_ in metrics["exits"])
    assert overall == pytest.approx(metrics["accuracy"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_bundle_says_on_a_device_what_evaluate_said(project: Path, variant: str):
    model = Model.load(project / "bundles" / variant)
    images = np.load(project / "data" / "prepared" / "test_images.npy")[:20]
    with np.load(project / "predictions" / f"{variant}.npz") as arrays:
        expected, exits = arrays["predicted"][:20], arrays["exit_index"][:20]
    predictions = [model.predict(image) for image in images]
    assert [prediction.class_index for prediction in predictions] == expected.tolist()
    assert [prediction.exit_index for prediction in predictions] == exits.tolist()
    assert {prediction.label for prediction in predictions} <= set(model.manifest.class_names)


def test_another_alpha_runs_distill_and_what_follows(project: Path, tmp_path: Path):
    changed = tmp_path / "changed"
    shutil.copytree(project, changed)
    edit_params(changed, {"distill.alpha": 0.9})
    done = run_in(changed, "dvc", "repro")
    by_variant = ("compress", "calibrate", "export", "evaluate", "benchmark")
    assert stages_run(done) == {
        *(f"distill@{seed}" for seed in SEEDS),
        *(f"{stage}@{variant}" for stage, variant in product(by_variant, VARIANTS)),
        "compare",
        "report",
    }
    untouched = ("models/teacher", "models/student", "data/targets")
    for name in untouched:
        before, after = content(project / name), content(changed / name)
        assert list(before.values()) == list(after.values())
    weights = "models/distill/0/model.weights.h5"
    assert (project / weights).read_bytes() != (changed / weights).read_bytes()


def test_a_value_that_cannot_be_is_one_line(bench: Path):
    edit_params(bench, {"distill.alpha": 1.5})
    done = run_in(bench, sys.executable, "stages/distill.py", "0", check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*distill\.alpha.*1\.5.*\n", done.stderr)
    assert not (bench / "models").exists()


@pytest.mark.parametrize(
    ("stage", "words", "name", "stop"),
    [
        ("teacher", (), "teacher", signal.SIGKILL),
        ("distill", ("0",), "distill/0", signal.SIGKILL),
        ("student", ("1",), "student/1", signal.SIGINT),
    ],
    ids=["kill_teacher", "kill_distill", "interrupt_student"],
)
def test_a_training_that_was_stopped_ends_with_the_same_bytes(
    stage: str,
    words: tuple[str, ...],
    name: str,
    stop: signal.Signals,
    project: Path,
    bench: Path,
):
    command = [sys.executable, f"stages/{stage}.py", *words]
    outputs = [Path("models") / name, Path(f"metrics/{name}.json"), Path(f"plots/{name}.csv")]
    checkpoint = bench / ".kdtasks" / "checkpoints" / f"{name.replace('/', '-')}.npz"
    with (bench / "errors.txt").open("w", encoding="utf-8") as errors:
        running = subprocess.Popen(
            command,
            cwd=bench,
            env=environment(bench),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            give_up = time.monotonic() + 120
            while not checkpoint.exists():
                assert running.poll() is None, (bench / "errors.txt").read_text(encoding="utf-8")
                assert time.monotonic() < give_up, "no checkpoint after two minutes"
                time.sleep(0.002)
            running.send_signal(stop)
            status = running.wait(timeout=60)
        finally:
            running.kill()
            running.wait()
    if stop == signal.SIGINT:
        assert status == 130
        assert (bench / "errors.txt").read_text(encoding="utf-8") == (
            "interrupted; run it again to go on from the last checkpoint\n"
        )
    else:
        assert status == -signal.SIGKILL
    # Killed in the middle of its epochs: no output is there, neither whole nor in part.
    assert [str(path) for path in outputs if (bench / path).exists()] == []
    assert not (bench / "models").exists()
    assert checkpoint.exists()

    done = run_in(bench, *command)
    assert re.search(r"^going on from the checkpoint after epoch \d+$", done.stdout, re.MULTILINE)
    expected = content(*(project / path for path in outputs))
    assert len(expected) == 4
    assert list(content(*(bench / path for path in outputs)).values()) == list(expected.values())
    assert not checkpoint.exists()
