"""The doctor's findings, each with its fix."""

import re
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from kdtasks.core.processor import Processor
from kdtasks.orchestrate.project import doctor
from kdtasks.orchestrate.project.doctor import (
    Finding,
    check_code,
    check_disk,
    check_dvc,
    check_environment,
    check_git,
    check_gpu,
    check_images,
    check_machine,
    check_params,
    check_remote,
    check_versions,
    examine,
    render,
)
from tests.tools.complete_params import write_params


def installed_with(**changes: str) -> Callable[[str], str]:
    """The installed versions, some changed; an empty one is not installed."""

    def version(name: str) -> str:
        if changes.get(name) == "":
            raise metadata.PackageNotFoundError(name)
        return changes.get(name) or metadata.version(name)

    return version


def by_subject(checks: list[Finding]) -> dict[str, Finding]:
    return {check.subject: check for check in checks}


def test_this_installation_names_what_matters():
    found = by_subject(check_versions())
    assert {"python", "kdtasks", "tensorflow", "tf-keras", "tensorflow-model-optimization"} <= {
        *found
    }
    assert {"ai-edge-litert", "dvc", "prefect", "fastapi", "sqlalchemy"} <= {*found}
    assert found["ai-edge-litert"].level == "ok"


@pytest.mark.parametrize(
    ("name", "version", "level"),
    [
        ("fastapi", "0.150.0", "ok"),
        ("fastapi", "0.151.0", "fail"),
        ("fastapi", "0.138.2", "fail"),
        ("sqlalchemy", "2.0.58", "ok"),
        ("sqlalchemy", "2.1.0", "fail"),
    ],
)
def test_bounds_of_packages_that_break_prefect(name: str, version: str, level: str):
    check = by_subject(check_versions(installed_with(**{name: version})))[name]
    assert check.level == level
    if level == "fail":
        assert check.message.startswith(f"{version}, kdtasks needs ")
        assert check.fix.startswith(f"pip install '{name}<")


def test_what_is_not_installed_says_how_to_install_it():
    found = by_subject(check_versions(installed_with(prefect="", numpy="")))
    assert found["prefect"] == Finding(
        "warn", "prefect", "not installed", "pip install 'kdtasks[pipeline]'"
    )
    assert found["numpy"] == Finding("fail", "numpy", "not installed", "pip install 'kdtasks'")


def test_environment():
    assert check_environment({}).level == "ok"
    found = check_environment({"PYTHONDONTWRITEBYTECODE": "1"})
    assert (found.level, found.subject) == ("warn", "PYTHONDONTWRITEBYTECODE")
    assert "three times" in found.message


def test_git():
    assert check_git(lambda name: "/usr/bin/git") == Finding("ok", "git", "/usr/bin/git")
    assert check_git(lambda name: None).level == "fail"


@pytest.mark.parametrize(("memory", "level"), [(3.9, "warn"), (4.0, "ok")])
def test_memory(monkeypatch: pytest.MonkeyPatch, memory: float, level: str):
    monkeypatch.setattr("kdtasks.orchestrate.project.doctor.memory_gb", lambda: memory)
    assert by_subject(check_machine())["memory"].level == level


@pytest.mark.parametrize("quick", [True, False])
def test_it_says_where_bfloat16_is_quick(monkeypatch: pytest.MonkeyPatch, quick: bool):
    monkeypatch.setattr(doctor, "read_processor", lambda: Processor("one", ("avx2",), quick))
    finding = by_subject(check_machine())["processor"]
    assert finding.message == "one (avx2)"
    assert ("runtime.precision: bfloat16" in finding.fix) is quick


@pytest.mark.parametrize(("free", "level"), [(4.9, "warn"), (5.0, "ok")])
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, level: str):
    monkeypatch.setattr("kdtasks.orchestrate.project.doctor.free_disk_gb", lambda folder: free)
    assert check_disk(tmp_path).level == level


def test_params_and_threads(project: Path):
    path = project / "params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        re.sub(r"^  threads: 1$", "  threads: 2", text, count=1, flags=re.M), encoding="utf-8"
    )
    check = check_params(project, cores=2)
    assert check == Finding("ok", "params.yaml", "valid, recipe mnist-5k, 2 threads on 2 cores")
    check = check_params(project, cores=1)
    assert (check.level, check.fix.split(" (")[0]) == ("warn", "set runtime.threads to 1")
    path.write_text("recipe: x", encoding="utf-8")
    check = check_params(project)
    assert check.level == "fail"
    assert "seeds: missing" in check.message


def test_dvc(project: Path, tmp_path: Path):
    assert check_dvc(project).level == "ok"
    assert check_dvc(tmp_path) == Finding(
        "fail", "DVC", f"no repository in {tmp_path}", "run `dvc init` there"
    )


def test_no_remote_is_no_fault(project: Path):
    assert check_remote(project).level == "info"


def test_a_remote_that_answers(project: Path, tmp_path: Path):
    (project / ".dvc" / "config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
    )
    answers = Finding("ok", "remote", "store answers")
    assert check_remote(project, timeout_seconds=300) == answers  # nothing was pushed yet
    (tmp_path / "store").mkdir()
    assert check_remote(project, timeout_seconds=300) == answers


def test_a_remote_that_cannot_be_reached(project: Path, tmp_path: Path):
    (tmp_path / "store").write_text("a file where a folder should be", encoding="utf-8")
    (project / ".dvc" / "config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}/x/y\n"
    )
    check = check_remote(project, timeout_seconds=300)
    assert check.level == "fail"
    assert check.message.startswith("store: ")
    assert "\n" not in check.message


def test_a_remote_that_does_not_answer_in_time(project: Path, tmp_path: Path):
    (project / ".dvc" / "config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path}\n"
    )
    check = check_remote(project, timeout_seconds=0.01)
    assert check.message == "store: no answer within 0.01 s"


def test_outside_a_project(tmp_path: Path):
    check = by_subject(examine(tmp_path))["project"]
    assert check.level == "warn"
    assert "no dvc.yaml" in check.message


def test_render_aligns_and_puts_fixes_last():
    text = render([Finding("ok", "a", "fine"), Finding("warn", "longer", "slow", "fix it")])
    assert text == "ok    a       fine\nwarn  longer  slow; fix it"


def test_links_among_the_images(tmp_path: Path):
    write_params(tmp_path)
    for name in ("data/raw/cats", "data/raw-unlabelled", "models/import", "models/start", "disk"):
        (tmp_path / name).mkdir(parents=True)
    deps = "stages: {prepare: {deps: [%s]}}\n"
    (tmp_path / "dvc.yaml").write_text(deps % "data/raw")
    assert check_images(tmp_path).level == "ok"
    (tmp_path / "data/raw/dogs").symlink_to(tmp_path / "disk")
    found = check_images(tmp_path)
    assert (found.level, found.message, found.fix) == (
        "fail",
        "data/raw/dogs is a link that DVC does not watch",
        "`kdtasks links` lists it",
    )
    (tmp_path / "dvc.yaml").write_text(deps % "data/raw, data/raw/dogs")
    assert check_images(tmp_path).level == "ok"
    (tmp_path / "data/raw/wolves").symlink_to("/nowhere")
    assert check_images(tmp_path).message == f"{tmp_path}/data/raw/wolves leads to nothing"
    (tmp_path / "params.yaml").unlink()
    assert check_images(tmp_path).level == "info"


def test_other_code_than_results_are_filed_under(tmp_path: Path):
    assert check_code(tmp_path).level == "ok"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "installed").write_text("kdtasks 0.0.1 12\n")
    found = check_code(tmp_path)
    assert found.level == "fail"
    assert found.message.startswith("the results here are filed under kdtasks 0.0.1, and kdtasks")
    assert found.fix.startswith("run `kdtasks upgrade`")


@pytest.mark.parametrize(("count", "level"), [("0", "warn"), ("2", "ok"), ("no number", "warn")])
def test_a_gpu_is_shown_to_tensorflow(count: str, level: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "find_gpu", lambda: Path("/dev/nvidiactl"))
    answer = subprocess.CompletedProcess([], 0, f"a warning\n{count}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    found = check_gpu()
    assert found.level == level
    assert (found.fix == "") == (level == "ok")


def test_without_a_gpu_tensorflow_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "find_gpu", lambda: None)
    monkeypatch.setattr(subprocess, "run", None)
    assert check_gpu().message == "none; TensorFlow computes on the processor"
