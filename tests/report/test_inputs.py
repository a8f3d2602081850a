"""Reading: what is missing carries its reason, what is damaged is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import KdTasksError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.params import Params
from kdtasks.report.inputs import complete, known, read_inputs


def test_missing_files_carry_their_reason(tmp_path: Path) -> None:
    inputs = read_inputs(ProjectPaths(tmp_path), [0], ["int8"])
    path = tmp_path / "metrics/teacher.json"
    teacher = inputs.trainings["teacher"][None]
    assert teacher == Refusal(refused=f"{path} not found; `dvc repro` writes it")
    assert "metrics/compress/int8.json" in (inputs.variants["int8"].refused or "")
    assert known(teacher) is None
    assert inputs.curves["teacher"] == {None: []}


def test_only_the_named_seeds_and_variants_are_read(
    tmp_path: Path, make_project: Callable[..., Params]
) -> None:
    make_project(tmp_path)
    inputs = read_inputs(ProjectPaths(tmp_path), [2], ["int8"])
    assert list(inputs.trainings["student"]) == list(inputs.curves["distill"]) == [2]
    assert list(inputs.variants) == ["int8"]
    assert len(complete(inputs.curves["distill"][2], "epoch", "validation_loss")) == 30


@pytest.mark.parametrize(
    ("text", "message"), [("{", "Invalid JSON"), ("[1]", "should be an object")]
)
def test_damaged_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "metrics/teacher.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(
        KdTasksError, match=f"metrics/teacher.json .*{message}.*remove the file and run"
    ):
        read_inputs(ProjectPaths(tmp_path), [0], ["int8"])


def test_csv_gaps_are_none_and_words_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plots/teacher.csv"
    path.parent.mkdir()
    path.write_text("epoch,loss\n1,0.5\n2,nan\n3,\n")
    curve = read_inputs(ProjectPaths(tmp_path), [0], []).curves["teacher"][None]
    assert [row["loss"] for row in curve] == [0.5, None, None]
    assert complete(curve, "epoch", "loss") == [[1, 0.5]]
    path.write_text("epoch,loss\n1,high\n")
    with pytest.raises(KdTasksError, match=r"plots/teacher.csv is damaged .*'high'"):
        read_inputs(ProjectPaths(tmp_path), [0], [])


@pytest.mark.parametrize("content", [b"", b"no arrays", b"PK\x03\x04 cut short"])
def test_damaged_arrays_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plots/examples/int8.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(KdTasksError, match=r"examples/int8\.npz is damaged .*run `dvc repro`"):
        read_inputs(ProjectPaths(tmp_path), [], ["int8"])
