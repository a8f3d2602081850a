"""`verify` on a tiny project: the same, not the same, and not to be verified."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.verify import compare_with, verify_project


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which scratch clones are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("COLUMNS", "120")
    return folder


def table(output: str) -> dict[str, str]:
    """Output to verdict, as printed."""
    rows = re.findall(r"^│ (\S+) +│ (\S+) +│ (\S+) +│ (\S+) +│$", output, re.MULTILINE)
    return {path: verdict for path, _, _, verdict in rows}


def test_a_reproducible_project(
    project: Path, scratch: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    before = (project / "dvc.lock").read_bytes()
    assert verify_project(project, out=tmp_path / "hashes.json")
    output = capfd.readouterr().out
    assert table(output) == {
        "a": "same",
        "t-x": "timing",
        "t-y": "timing",
        "report/page": "same",  # holds the timings: it is the same only from the original ones
    }
    assert "2 same, 2 timing, 0 different" in output
    assert "Running stage 'prepare'" in output  # nothing came out of a cache
    assert list(scratch.iterdir()) == []
    assert (project / "dvc.lock").read_bytes() == before
    hashes = json.loads((tmp_path / "hashes.json").read_text(encoding="utf-8"))
    here, there = hashes["here"], hashes["there"]
    assert here["prepare"] == there["prepare"]
    assert set(here["prepare"]["inputs"]) == {"source", "write.py"}
    assert here["report"]["outputs"] == there["report"]["outputs"]
    assert here["benchmark@x"]["outputs"] != there["benchmark@x"]["outputs"]


def test_stages_that_the_pipeline_has_no_more_are_left_out(
    project: Path, capfd: pytest.CaptureFixture[str]
):
    """After a change of seeds dvc.lock still has the old ones."""
    with (project / "dvc.lock").open("a", encoding="utf-8") as lock:
        lock.write(
            "  student@7:\n    cmd: python student.py 7\n"
            "    deps:\n    - path: gone.py\n      hash: md5\n      md5: abcdef0123456789\n"
            "    outs:\n    - path: models/7\n      hash: md5\n      md5: 0123456789abcdef\n"
        )
    assert verify_project(project)
    assert "2 same, 2 timing, 0 different" in capfd.readouterr().out


def test_a_stage_that_is_not_deterministic(
    project: Path,
    scratch: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DRIFT", "another text")
    assert not verify_project(project)
    output = capfd.readouterr().out
    assert table(output)["a"] == "DIFFERENT"
    assert "part at stage prepare: its inputs are the same, its outputs are not" in output
    (kept,) = scratch.iterdir()
    assert f"the clone is kept in {kept}" in output.replace("\n", "")


def test_a_report_that_is_no_function_of_its_inputs(
    project: Path,
    run_dvc: Callable[..., str],
    capfd: pytest.CaptureFixture[str],
):
    stages = (project / "dvc.yaml").read_text(encoding="utf-8")
    (project / "dvc.yaml").write_text(stages.replace("page a t-x", "page clock t-x"))
    run_dvc(project, "repro", "--quiet")
    assert not verify_project(project)
    found = table(capfd.readouterr().out)
    assert found == {"a": "same", "t-x": "timing", "t-y": "timing", "report/page": "DIFFERENT"}


def test_a_second_run_that_fails_keeps_its_clone(
    project: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, run_dvc: Callable[..., str]
):
    text = (project / "write.py").read_text(encoding="utf-8")
    (project / "write.py").write_text(text + "if 'FAIL' in os.environ: raise SystemExit(3)\n")
    run_dvc(project, "repro", "--quiet")
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(ProjectError, match="`dvc repro` ended with status 255 in the scratch"):
        verify_project(project)
    assert len(list(scratch.iterdir())) == 1


def test_without_a_lock(project: Path):
    (project / "dvc.lock").unlink()
    with pytest.raises(ProjectError, match=r"dvc\.lock not found; `kdtasks run` writes it"):
        verify_project(project)


def test_a_lock_that_is_not_up_to_date(project: Path, scratch: Path):
    (project / "source").write_text("changed", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"not up to date with the project \(changed: prepare"):
        verify_project(project)
    assert list(scratch.iterdir()) == []


def test_an_interruption_leaves_no_clone_behind(
    project: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*words: object, **options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("kdtasks.orchestrate.project.verify.run_streamed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verify_project(project)
    assert list(scratch.iterdir()) == []


def test_another_lock_is_compared_without_running_anything(
    project: Path,
    finished_project: Path,
    scratch: Path,
    tmp_path: Path,
    run_dvc: Callable[..., str],
    capfd: pytest.CaptureFixture[str],
):
    """Timings differ between any two runs, and with them the page that shows them."""
    run_dvc(project, "repro", "--quiet", "--force")
    capfd.readouterr()
    assert compare_with(project, finished_project, out=tmp_path / "hashes.json")
    output = capfd.readouterr().out
    assert table(output) == {
        "a": "same",
        "t-x": "timing",
        "t-y": "timing",
        "report/page": "timing",
    }
    assert "1 same, 3 timing, 0 different" in output
    assert "Running stage" not in output
    assert list(scratch.iterdir()) == []
    hashes = json.loads((tmp_path / "hashes.json").read_text(encoding="utf-8"))
    assert hashes["there"]["benchmark@x"]["outputs"].keys() == {"t-x"}


def test_what_differs_from_another_lock_and_what_only_one_has(
    project: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    text = (project / "dvc.lock").read_text(encoding="utf-8")
    hash_of_a = re.search(r"- path: a\n +hash: md5\n +md5: (\w+)\n", text)
    assert hash_of_a
    other = tmp_path / "before.lock"
    other.write_text(text.replace(hash_of_a[1], "f" * 32).replace("path: t-y", "path: t-z"))
    assert not compare_with(project, other)
    output = capfd.readouterr().out
    assert table(output) == {
        "a": "DIFFERENT",
        "t-x": "same",
        "t-y": "DIFFERENT",
        "t-z": "DIFFERENT",
        "report/page": "same",
    }
    assert re.search(r"│ t-z +│ none +│ \w+ +│ DIFFERENT │", output)
    assert "part at stage prepare; inputs that differ: source\n" in output  # of which a is a copy


def test_another_lock_has_to_be_there(project: Path, tmp_path: Path):
    for given in (tmp_path, tmp_path / "dvc.lock"):
        with pytest.raises(ProjectError, match=r"dvc\.lock not found; give a dvc\.lock, or"):
            compare_with(project, given)


def test_a_comparison_needs_a_lock_that_is_up_to_date(project: Path, finished_project: Path):
    (project / "source").write_text("changed", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"not up to date with the project \(changed: prepare"):
        compare_with(project, finished_project)
