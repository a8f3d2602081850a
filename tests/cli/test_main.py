"""The command line: what it prints, its exit statuses, what it must not import."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks import __version__
from kdtasks.orchestrate.project.doctor import Finding
from kdtasks.orchestrate.runner.execute import RunOptions

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dvc.yaml and one recipe; a folder inside it is the current one."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    (tmp_path / "recipes").mkdir()
    shutil.copy(ROOT / "recipes" / "mnist-5k.yaml", tmp_path / "recipes")
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    return tmp_path


def test_version(kdtasks: Callable[..., tuple[int, str, str]]):
    assert kdtasks("--version") == (0, f"kdtasks {__version__}\n", "")


def test_the_commands_are_these(kdtasks: Callable[..., tuple[int, str, str]]):
    status, output, _ = kdtasks("--help")
    assert status == 0
    for command in ("recipe", "run", "predict", "gate", "drift", "verify", "doctor"):
        assert command in output


def test_an_unknown_command(kdtasks: Callable[..., tuple[int, str, str]]):
    status, _, errors = kdtasks("runn")
    assert status == 2
    assert "runn" in errors


def test_recipe_list_show_use(kdtasks: Callable[..., tuple[int, str, str]], project: Path):
    status, output, _ = kdtasks("recipe", "list")
    assert (status, output.split(":")[0]) == (0, "mnist-5k  Recipe mnist-5k")
    text = (project / "recipes" / "mnist-5k.yaml").read_text(encoding="utf-8")
    assert kdtasks("recipe", "show", "mnist-5k") == (0, text, "")
    status, output, _ = kdtasks("recipe", "use", "mnist-5k")
    assert (status, output) == (0, "params.yaml is now recipe mnist-5k; `kdtasks run` runs it\n")
    assert "# softens teacher and student alike" in (project / "params.yaml").read_text()
    assert kdtasks("recipe", "diff", "mnist-5k") == (0, "", "")


def test_own_edits_and_force(kdtasks: Callable[..., tuple[int, str, str]], project: Path):
    (project / "params.yaml").write_text("mine: 1\n", encoding="utf-8")
    status, _, errors = kdtasks("recipe", "use", "mnist-5k")
    assert status == 1
    assert errors.startswith("error: ")
    assert "add --force" in errors
    status, output, _ = kdtasks("recipe", "use", "mnist-5k", "--force")
    assert status == 0
    assert "is kept as" in output


def test_errors_are_one_line_and_status_1(
    kdtasks: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for words in (("recipe", "list"), ("run",), ("verify",)):
        status, _, errors = kdtasks(*words)
        assert status == 1
        assert errors.startswith("error: no dvc.yaml in ")
        assert errors.count("\n") == 1


def test_run_hands_on_options_and_status(
    kdtasks: Callable[..., tuple[int, str, str]], project: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[tuple[object, ...]] = []

    def run_pipeline(folder: Path, options: RunOptions, **others: bool | None) -> int:
        calls.append((folder, options, others))
        return 7

    monkeypatch.setattr("kdtasks.cli.run.run_pipeline", run_pipeline)
    assert kdtasks("run", "teacher", "report", "--dry-run")[0] == 7
    assert kdtasks("run", "--force", "--prefect", "--workers", "3")[0] == 7
    assert kdtasks("run", "--pull", "--no-prefect", "--engine", "cli")[0] == 7
    assert kdtasks("run", "--cluster", "local:3")[0] == 7

    def others(*, dry_run: bool, prefect: bool | None, cluster: str | None = None) -> object:
        return {"dry_run": dry_run, "prefect": prefect, "cluster": cluster}

    assert calls == [
        (project, RunOptions(("teacher", "report")), others(dry_run=True, prefect=None)),
        (project, RunOptions(workers=3, force=True), others(dry_run=False, prefect=True)),
        (project, RunOptions(pull=True, engine="cli"), others(dry_run=False, prefect=False)),
        (project, RunOptions(), others(dry_run=False, prefect=None, cluster="local:3")),
    ]


def test_an_unknown_engine_names_both(kdtasks: Callable[..., tuple[int, str, str]], project: Path):
    status, _, errors = kdtasks("run", "--engine", "make")
    assert status == 2
    assert "make" in errors
    assert "split" in errors


def test_no_workers_cannot_work(kdtasks: Callable[..., tuple[int, str, str]], project: Path):
    status, _, errors = kdtasks("run", "--workers", "0")
    assert status == 2
    assert "--workers" in errors


@pytest.mark.parametrize(("is_same", "status"), [(True, 0), (False, 1)])
def test_verify_status(
    kdtasks: Callable[..., tuple[int, str, str]],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_same: bool,
    status: int,
):
    calls: list[dict[str, object]] = []

    def verify_project(folder: Path, **options: object) -> bool:
        calls.append(options)
        return is_same

    def compare_with(folder: Path, against: Path, **options: object) -> bool:
        calls.append({"against": against, **options})
        return is_same

    monkeypatch.setattr("kdtasks.orchestrate.project.verify.verify_project", verify_project)
    monkeypatch.setattr("kdtasks.orchestrate.project.verify.compare_with", compare_with)
    assert kdtasks("verify", "--keep", "--out", "x.json")[0] == status
    assert kdtasks("verify", "--against", "dvc.lock")[0] == status
    assert calls == [
        {"keep": True, "out": Path("x.json")},
        {"against": Path("dvc.lock"), "out": None},
    ]


def test_a_comparison_of_locks_has_no_clone_to_keep(
    kdtasks: Callable[..., tuple[int, str, str]], project: Path
):
    status, _, errors = kdtasks("verify", "--against", "dvc.lock", "--keep")
    assert status == 2
    assert "--against makes none" in " ".join(errors.split())


@pytest.mark.parametrize(("level", "status"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_doctor_status(
    kdtasks: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
    status: int,
):
    check = Finding(level, "git", "found", "nothing")  # type: ignore[arg-type]
    monkeypatch.setattr("kdtasks.orchestrate.project.doctor.examine", lambda folder: [check])
    assert kdtasks("doctor")[:2] == (status, f"{level:<4}  git  found; nothing\n")


def run_without(modules: list[str], *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process where `modules` are not installed."""
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({modules!r}))\n"
        f"sys.argv = ['kdtasks', *{list(words)!r}]\n"
        "from kdtasks.cli.main import main\n"
        "main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


PIPELINE = ["ruamel", "ruamel.yaml", "dvc", "prefect", "tensorflow", "packaging", "configobj"]


def test_without_the_pipeline_extra_a_command_names_it(project: Path):
    done = run_without(PIPELINE, "recipe", "use", "mnist-5k", folder=project)
    assert done.returncode == 1
    told = r"error: module (\S+) is missing; this command needs pip install 'kdtasks\[pipeline\]'"
    found = re.fullmatch(told, done.stderr.splitlines()[-1])
    assert found
    assert found[1].partition(".")[0] in PIPELINE
    assert "Traceback" not in done.stderr


def test_without_the_pipeline_extra_help_and_doctor_work(project: Path):
    assert run_without(PIPELINE, "--help", folder=project).returncode == 0
    done = run_without(PIPELINE, "doctor", folder=project)
    assert "Traceback" not in done.stderr
    assert "pip install 'kdtasks[pipeline]'" in done.stdout


def test_the_command_line_imports_nothing_heavy():
    code = (
        "import sys, kdtasks.cli.main, kdtasks.deploy.store.catalogue\n"
        "import kdtasks.orchestrate.project.doctor\n"
        "heavy = {'tensorflow', 'numpy', 'scipy', 'dvc', 'prefect', 'matplotlib', 'ruamel'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
