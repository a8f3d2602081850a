"""What every stage script does around its own work."""

import errno
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError, ExportError, Refused
from kdtasks.core.events import tail
from kdtasks.core.files import atomic_file, write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import check_not_refused
from kdtasks.core.records.compress import Exported
from kdtasks.params import Params
from kdtasks.stage import CsvTable, Folder, Output, run_stage, stage
from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stages/distill.py", "0", "int8"])
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
    return tmp_path


def raising(error: BaseException) -> Callable[..., None]:
    def main(params: Params, paths: ProjectPaths, *words: str) -> None:
        raise error

    return main


def test_params_and_words_arrive(in_project: Path):
    calls: list[tuple[object, ...]] = []
    run_stage(lambda *arguments: calls.append(arguments))
    ((params, paths, *words),) = calls
    assert isinstance(params, Params)
    assert paths == ProjectPaths()
    assert words == ["0", "int8"]


def test_code_that_changed_since_it_was_listed_runs_nothing(
    in_project: Path, capsys: pytest.CaptureFixture[str]
):
    (in_project / "data/code").mkdir(parents=True)
    (in_project / "data/code/distill.txt").write_text(f"{'0' * 64}  params.yaml\n")
    with pytest.raises(SystemExit):
        run_stage(raising(AssertionError()))
    assert "error: params.yaml has changed since the stage `code`" in capsys.readouterr().err


REASON = "no filter can be removed; leave out filters"


def refused_stage(**options: Any) -> Callable[..., None]:
    """A stage of one variant that is refused, and leaves something of an earlier run."""

    def outputs(paths: ProjectPaths, variant: str) -> list[Output]:
        return [
            paths.metrics("compress", variant),
            paths.predictions(variant),
            CsvTable(paths.reliability(variant), "exit,rows"),
            Folder(paths.model("compress", variant), "refused.txt"),
            Folder(paths.bundle(variant), "manifest.json"),
        ]

    @stage(outputs=outputs, **options)
    def main(params: Params, paths: ProjectPaths, variant: str) -> None:
        (paths.bundle(variant) / "labels.txt").parent.mkdir(parents=True)
        (paths.bundle(variant) / "labels.txt").write_text("of an earlier run")
        raise options.get("refusals", (Refused,))[-1](REASON)

    return main


@pytest.mark.parametrize("options", [{}, {"refusals": (Refused, ExportError)}])
def test_a_refusal_stands_in_every_output(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
):
    monkeypatch.setenv("KDTASKS_EVENTS", str(tmp_path / "events.jsonl"))
    paths = ProjectPaths(tmp_path)
    refused_stage(**options)(None, paths, "int8")
    with pytest.raises(Refused, match=f"^{REASON}$"):
        Exported.read(paths.metrics("compress", "int8"))
    with np.load(paths.predictions("int8")) as arrays:
        assert arrays.files == []
    assert paths.reliability("int8").read_text() == "exit,rows\n"
    (file,) = paths.model("compress", "int8").iterdir()
    assert (file.name, file.read_text()) == ("refused.txt", f"{REASON}\n")
    (manifest,) = paths.bundle("int8").iterdir()
    with pytest.raises(Refused, match=f"^{REASON}$"):
        check_not_refused(manifest)
    assert capsys.readouterr().out == f"int8: skipped: {REASON}\n"
    ((event,), _) = tail(tmp_path / "events.jsonl")
    assert (event.kind, getattr(event, "message", "")) == ("refused", REASON)


def test_what_is_no_refusal_writes_nothing(tmp_path: Path):
    @stage(outputs=lambda paths: [paths.page])
    def main(params: Params, paths: ProjectPaths) -> None:
        raise ExportError(REASON)

    with pytest.raises(ExportError, match=REASON):
        main(None, ProjectPaths(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_declares_nothing_fails_when_refused(
    in_project: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        run_stage(stage()(raising(Refused(REASON))))
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: {REASON}\n"


def test_an_error_that_can_be_mended_is_one_line(
    in_project: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        run_stage(raising(DatasetError("mask is 3×3, its image 4×4; resize one")))
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: mask is 3×3, its image 4×4; resize one\n"


def test_invalid_params_are_one_line(in_project: Path, capsys: pytest.CaptureFixture[str]):
    (in_project / "params.yaml").write_text("recipe: 3\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run_stage(raising(AssertionError("not reached")))
    assert ended.value.code == 1
    errors = capsys.readouterr().err
    assert "recipe: got 3; allowed: text" in errors
    assert errors.count("\n") == 1


def test_a_stage_runs_the_code_of_the_folder_it_is_in(tmp_path: Path):
    for name in ("kdtasks", "stages"):
        (tmp_path / name).mkdir()
    (tmp_path / "kdtasks" / "__init__.py").write_text("OWN = True\n", encoding="utf-8")
    (tmp_path / "stages" / "distill.py").write_text(
        "import kdtasks\nprint(kdtasks.OWN)\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "stages.distill"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_an_interruption_says_how_to_go_on(in_project: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        run_stage(raising(KeyboardInterrupt()))
    assert ended.value.code == 130
    assert "run it again to resume" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_the_output_before_it_stays(
    in_project: Path, capsys: pytest.CaptureFixture[str]
):
    output = in_project / "metrics/prepare.json"
    write_json(output, {"images": 1})
    before = output.read_bytes()

    def main(params: Params, paths: ProjectPaths, *words: str) -> None:
        with atomic_file(output) as partial:
            partial.write_text("half of it", encoding="utf-8")
            raise OSError(errno.ENOSPC, "No space left on device", str(partial))

    with pytest.raises(SystemExit) as caught:
        run_stage(main)
    assert caught.value.code == 1
    expected = "error: the disk is full; make room and run the same command again, it resumes\n"
    assert capsys.readouterr().err == expected
    assert output.read_bytes() == before
    assert [found.name for found in output.parent.iterdir()] == [output.name]


def test_a_bug_keeps_its_traceback(in_project: Path):
    with pytest.raises(ZeroDivisionError):
        run_stage(raising(ZeroDivisionError()))


@pytest.mark.parametrize(
    ("error", "messages"),
    [
        (DatasetError("no masks; add some"), ["no masks; add some"]),
        (ZeroDivisionError("by zero"), ["ZeroDivisionError: by zero"]),
        (KeyboardInterrupt(), []),
    ],
)
def test_a_failure_is_told_as_an_event(
    error: BaseException,
    messages: list[str],
    in_project: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("KDTASKS_EVENTS", str(in_project / "events.jsonl"))
    with pytest.raises((SystemExit, ZeroDivisionError)):
        run_stage(raising(error))
    found, _ = tail(in_project / "events.jsonl")
    told = [event for event in found if event.kind != "span"]
    assert [(event.kind, getattr(event, "message", "")) for event in told] == [
        ("failed", message) for message in messages
    ]
