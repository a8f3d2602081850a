"""Scores of a bundle add up; its arrays and reliability are written as they are read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from kdtasks.core.files import write_arrays
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.classifier import BatchPredictions, Classifier
from kdtasks.edge.scores import softmax
from kdtasks.evaluate import classification
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.classification import ClassificationEvaluator, evaluate_answers
from kdtasks.evaluate.settings import EvaluateParams, SlicesParams


@pytest.fixture
def case() -> tuple[np.ndarray, BatchPredictions]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 50)
    logits = generator.normal(0, 2, (50, 2, 3)).astype(np.float32)
    by_exit, exit_index = logits.argmax(axis=2), generator.integers(0, 2, 50)
    return labels, BatchPredictions(logits, by_exit, exit_index, by_exit[np.arange(50), exit_index])


def test_the_whole_is_the_sum_of_its_exits(case: tuple[np.ndarray, BatchPredictions]) -> None:
    labels, answers = case
    content, bins = evaluate_answers(
        ClassScore(labels, answers.predicted, ("ant", "bee", "cat"), EvaluateParams()),
        answers,
        macs=(300, 1000),
        temperatures=(1.5, 1.0),
        commonest=1,
    )
    assert content.full
    assert content.exits
    assert content.changed
    assert content.calibration_error
    assert content.mean_macs
    early = float((answers.exit_index == 0).mean())
    assert content.accuracy == pytest.approx((answers.predicted == labels).mean())
    assert content.full.accuracy == pytest.approx((answers.by_exit[:, 1] == labels).mean())
    assert content.mean_macs == pytest.approx(early * 300 + (1 - early) * 1000)
    assert content.cost == pytest.approx(content.mean_macs / 1000)
    assert content.saved == pytest.approx(early * 0.7)
    added = sum(row.exit_rate * (row.accuracy_taken or 0) for row in content.exits)
    assert added == pytest.approx(content.accuracy)
    changed = content.changed
    gained = changed.early_right - changed.last_right
    assert gained / 50 == pytest.approx(content.accuracy - content.full.accuracy)
    for k, temperature in enumerate((1.5, 1.0)):
        assert sum(found.rows for found in bins[k]) == 50
        probabilities = softmax(answers.logits[:, k], temperature)
        mean = sum(found.rows * found.confidence for found in bins[k]) / 50
        assert mean == pytest.approx(probabilities.max(axis=1).mean())
        gaps = sum(found.rows * abs(found.accuracy - found.confidence) for found in bins[k]) / 50
        assert content.calibration_error[k] == pytest.approx(gaps)


def dataset_of(images: np.ndarray, labels: np.ndarray) -> Any:
    """What evaluation asks of a dataset, of every split the same."""
    return SimpleNamespace(
        images=lambda split: images,
        labels=lambda split: labels,
        groups=lambda split: np.arange(50),
        teacher_labelled=(),
        labels_from=lambda split: None,
        class_names=("ant", "bee", "cat"),
        num_classes=3,
    )


def test_examples_are_rows_of_the_test_split(
    case: tuple[np.ndarray, BatchPredictions], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, answers = case
    images = np.arange(50 * 4, dtype=np.uint8).reshape(50, 2, 2, 1)
    dataset = dataset_of(images, labels)
    manifest = SimpleNamespace(macs=(300, 1000), temperatures=(1.0, 1.0), score="margin")
    monkeypatch.setattr(Classifier, "load", lambda bundle: SimpleNamespace(manifest=manifest))
    monkeypatch.setattr(classification, "predict_batch", lambda model, images: answers)
    evaluator = ClassificationEvaluator(cast(PreparedDataset, dataset), EvaluateParams())
    found = evaluator.evaluate(Path("bundle"))
    arrays, rows = found.examples, found.examples["rows"]
    commonest = np.bincount(labels).argmax()
    name, right = ("ant", "bee", "cat")[commonest], (labels == commonest).mean()
    assert found.sentence.endswith(
        f"(always answering {name} would be right in {right:.1%})".replace("%", " %")
    )
    assert found.scores.baseline
    assert found.scores.baseline.answer == name
    assert found.scores.baseline.balanced_accuracy == pytest.approx(1 / 3, abs=1e-6)
    assert found.scores.intervals
    assert set(found.scores.intervals) == {"accuracy", "balanced_accuracy", "macro_f1"}
    np.testing.assert_array_equal(arrays["images"], images[rows])
    np.testing.assert_array_equal(arrays["labels"], labels[rows])
    np.testing.assert_array_equal(arrays["by_exit"], answers.by_exit[rows])
    np.testing.assert_array_equal(arrays["exit_index"], answers.exit_index[rows])
    assert set(arrays["group"].tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(found.predictions["logits"], answers.logits)
    assert {row[0] for row in found.reliability} == {0, 1}
    assert sum(row[3] for row in found.reliability) == 2 * 50
    assert found.scores.slices == {}
    assert "slice_names" not in arrays


def test_slices_are_answered_with_early_exits(
    case: tuple[np.ndarray, BatchPredictions], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, answers = case
    asked: list[np.ndarray] = []

    def predict(model: object, images: np.ndarray) -> BatchPredictions:
        asked.append(np.asarray(images))
        return answers

    manifest = SimpleNamespace(macs=(300, 1000), temperatures=(1.0, 1.0), score="margin")
    model = Classifier.__new__(Classifier)
    model.__dict__["manifest"] = manifest
    monkeypatch.setattr(Classifier, "load", lambda bundle: model)
    monkeypatch.setattr(classification, "predict_batch", predict)
    images = np.full((50, 2, 2, 1), 100, np.uint8)
    dataset = dataset_of(images, labels)
    slices = SlicesParams(corruptions=("brightness",), severities=(1, 3))
    settings = EvaluateParams(slices=slices)
    evaluator = ClassificationEvaluator(cast(PreparedDataset, dataset), settings)
    found = evaluator.evaluate(Path("bundle"))
    # 0.05 and 0.15 of 255 more
    assert [part.max() for part in asked] == [100, 112, 138]
    # Whatever it sees, this model answers the same: the scores are those of the exits left at.
    right = (answers.predicted == labels).mean()
    assert right != (answers.by_exit[:, 1] == labels).mean()
    assert set(found.scores.slices) == {"plain", "brightness 1", "brightness 3"}
    scores = [row.score for row in found.scores.slices.values()]
    assert scores == pytest.approx([right] * 3)
    np.testing.assert_array_equal(found.examples["slice_values"][2], answers.predicted == labels)


def test_arrays_are_the_same_bytes_every_time_and_may_be_none(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.npz"
        write_arrays(path, labels=np.arange(3))
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    write_arrays(path)
    with np.load(path) as arrays:
        assert arrays.files == []
