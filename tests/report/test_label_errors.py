"""Labels that look wrong, on the page of the report."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.files import write_arrays
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.core.records.label_errors import LabelErrors, SuspectedLabel

Build = Callable[..., Path]
FOUND = LabelErrors(
    images={"validation": 100, "calibration": 50},
    students=3,
    teacher=100,
    estimated=0.034,
    found=7,
    shown=(
        SuspectedLabel(name="a/1.png", split="validation", given="4", suggested="9", margin=-0.91,
                       students=3, teacher="9"),
        SuspectedLabel(name="b/2.png", split="calibration", given="1", suggested="7", margin=-0.5,
                       students=1),
    ),
)  # fmt: skip


def page_with(build: Build, found: LabelErrors | Refusal, images: int = 0) -> str:
    def write(root: Path) -> None:
        paths = ProjectPaths(root)
        found.write(paths.label_errors)
        arrays = {"images": np.zeros((images, 28, 28, 1), np.uint8)} if images else {}
        write_arrays(paths.suspected, **arrays)

    text = (build(change=write) / "index.html").read_text(encoding="utf-8")
    return " ".join(text.replace("\u00a0", " ").split())


def test_each_is_shown_with_who_says_what_and_where_it_is(build: Build):
    page = page_with(build, FOUND, images=2)
    assert "7 labels of 150 look wrong; about 3.4 % of all are, by estimate." in page
    assert "They are of the calibration and the validation split" in page
    assert (
        "judged by 3 students taught by labels alone and, for 100 images, by the teacher." in page
    )
    assert 'alt="a/1.png, labelled 4"' in page
    assert "labelled <strong>4</strong>, looks like <strong>9</strong>" in page
    assert (
        "3 of 3 students say 9, the teacher says 9; margin −0.91<br>validation<br>a/1.png" in page
    )
    assert "1 of 3 students says 7; margin −0.50<br>calibration<br>b/2.png" in page
    assert "5 more are not shown." in page


def test_where_no_label_looks_wrong_it_says_so(build: Build):
    page = page_with(build, FOUND.model_copy(update={"found": 0, "shown": (), "teacher": 0}))
    assert "<p> None of 150 does." in page
    assert "taught by labels alone. Labels of the training split" in page


@pytest.mark.parametrize("reason", ["labels of pixels are not judged", "no student"])
def test_where_labels_are_not_judged_the_reason_stands(build: Build, reason: str):
    assert f"Not judged: {reason}." in page_with(build, Refusal(refused=reason))
