"""Students that see no label: there is none that labels alone teach."""

from collections.abc import Callable
from pathlib import Path

from kdtasks.core.files import read_json, write_json
from kdtasks.core.records.data import NO_LABELS
from kdtasks.core.text import SPACE, percent
from tests.tools.report_pages import text_of


def hide_labels(root: Path) -> None:
    """Change a project's files into what the stages write then."""
    for path in (root / "metrics/student").iterdir():
        write_json(path, {"refused": NO_LABELS})
    for path in (root / "plots/student").iterdir():
        path.write_text("epoch,validation_accuracy\n")
    write_json(root / "metrics/prospect.json", {"refused": NO_LABELS})
    path = root / "metrics/compare.json"
    compare = read_json(path)
    nothing = {"student": None, "teacher_lead": None, "gain": {"refused": NO_LABELS}}
    arms = {arm: {**scores, "gain": None} for arm, scores in compare["arms"].items()}
    write_json(path, {**compare, **nothing, "arms": arms})
    path = root / "metrics/labels.json"
    write_json(path, {**read_json(path), "train": 0, "hidden": 2997})


def test_the_page_shows_teacher_and_distilled_student(build: Callable[..., Path]) -> None:
    split = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
    data = {"source": "mnist-5k", "split": split, "train_labels": 0}
    report = build(change=hide_labels, data=data, distill={"arms": ["hard", "all_labels"]})
    words = text_of(report)
    assert ", and no student alone, as no label of the training split is seen; shipped" in words
    assert f"Not compared: {NO_LABELS}" in words
    assert "Distilled: no label, and a teacher’s answers to 3,035 images." in words
    assert "Alone:" not in words
    assert "Student alone" not in words
    assert "Labels alone" not in words
    mean = percent(read_json(report.parent / "metrics/compare.json")["distill"]["mean"])
    row = f"Distilled the teacher’s probabilities for 3,035 images {mean}"
    assert row.replace(SPACE, " ") in words.replace(SPACE, " ")
    assert "All labels 2,997 labels, no teacher" in words
    summary = read_json(report / "summary.json")
    assert "distilled_accuracy" in summary
    assert not {"student_accuracy", "gain", "gain_low"} & summary.keys()
