"""What the report says of uneven classes and of another metric than the accuracy."""

import re
from collections.abc import Callable
from pathlib import Path

from kdtasks.core.files import read_json, write_json
from kdtasks.core.records.data import Dataset, GroupCounts, SplitCounts
from kdtasks.core.records.report import Statistics
from kdtasks.core.text import plain
from kdtasks.report.sentences import headline, uneven_advice, uneven_classes
from tests.tools.records import gain_of, model_summary, selection, statistics

SENTENCE = (
    "90 of 92 images are of the class good, 2 of scratched: always answering good would be right "
    "in 97.8 %, so accuracy says little here"
)


def told(**values: object) -> Statistics:
    counts = {"test": SplitCounts(total=92, by_class={"good": 90, "scratched": 2})}
    data = Dataset(
        name="parts",
        task="classification",
        class_names=("good", "scratched"),
        image_shape=(8, 8, 1),
        counts=counts,
        ignore_label=None,
        sha256={},
        duplicates=(),
        contradictions=(),
        excluded=(),
        groups=GroupCounts(total=92, shared=0, largest=1),
        split_by="class",
    )
    return statistics(
        data=data,
        teacher=model_summary(accuracy=0.98, balanced_accuracy=0.8),
        student=model_summary(mean=0.7, interval=None),
        distill=model_summary(mean=0.75, interval=None),
        gain=gain_of(0.05, None, "inconclusive"),
        **values,
    )


def test_accuracy_as_the_metric_is_warned_of_before_anything_else():
    found = told()
    assert uneven_classes(found) == SENTENCE
    assert headline(found, selection(None)).startswith(f"{SENTENCE}. Teacher 98.0")
    assert uneven_advice(found, is_balanced=False) == (
        "Models are compared by it all the same: set evaluate.metric: balanced_accuracy. To make "
        "up for rare classes set train.class_balance: weights."
    )


def test_another_metric_is_named_in_its_place():
    found = told(metric="balanced_accuracy")
    line = plain(headline(found, selection(None)))
    assert line.startswith("Balanced accuracy: teacher 80.0 %; student alone 70.0 %")
    advice = uneven_advice(found, is_balanced=True)
    assert advice == "Models are compared by balanced accuracy instead."


def test_even_classes_are_not_told():
    found = told()
    assert not isinstance(found.data, type(found.gain))
    data = found.data.model_copy(
        update={"counts": {"test": SplitCounts(total=9, by_class={"good": 5, "scratched": 4})}}
    )
    assert uneven_classes(found.model_copy(update={"data": data})) is None
    assert uneven_classes(told(task="segmentation")) is None


def test_the_page_shows_every_class_and_what_a_constant_answer_reaches(
    build: Callable[..., Path],
) -> None:
    def rarely_nine(root: Path) -> None:
        path = root / "data/prepared/dataset.json"
        content = read_json(path)
        content["counts"]["test"]["by_class"]["9"] = 10
        write_json(path, content)

    report = build(change=rarely_nine)
    page = (report / "index.html").read_text(encoding="utf-8")
    assert page.count("so accuracy says little here") == 2  # headline, and a notice with advice
    section = page.split("<h2>Class by class: int8</h2>")[1].split("<h2>")[0]
    assert "Always answering 0" in section
    evaluation = read_json(report.parent / "metrics/evaluate/int8.json")
    for score in (evaluation["balanced_accuracy"], evaluation["baseline"]["accuracy"]):
        assert f"{score * 100:.1f}" in section
    assert len(re.findall(r"<tr>\s*<th>\d</th>", section)) == 10
    for row in evaluation["by_class"].values():
        assert f"{row['recall'] * 100:.1f}" in section


def test_a_page_by_another_metric_names_it_throughout(build: Callable[..., Path]) -> None:
    report = build(evaluate={"metric": "macro_f1", "bootstrap_samples": 100})
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "Models are compared by macro-F1, on 1,000 test images" in page
    assert "<th>Test macro-F1</th>" in page
    assert "<h2>Size against macro-F1</h2>" in page
    assert "a bootstrap within the classes" in page
    content = read_json(report.parent / "metrics/compare.json")
    assert content["metric"] == "macro_f1"
    summary = read_json(report / "summary.json")
    assert {"teacher_macro_f1", "shipped_macro_f1"} <= set(summary)
