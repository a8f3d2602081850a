"""Confident learning: counts worked by hand, planted errors found, and where nothing is judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.core.records import Refusal
from kdtasks.core.records.data import SplitCounts
from kdtasks.core.records.label_errors import LabelErrors
from kdtasks.core.text import plain
from kdtasks.data.prepared import PreparedDataset
from kdtasks.evaluate.label_errors import (
    MOST_SHOWN,
    TeacherAnswers,
    confident_learning,
    contradictions,
    find_label_errors,
)


def test_the_confident_joint_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.array(
        [
            [0.9, 0.1],  # 0, as labelled
            [0.8, 0.2],  # 0, as labelled
            [0.1, 0.9],  # labelled 0, counted for 1
            [0.3, 0.7],  # labelled 1, counted for 1
            [0.2, 0.8],  # labelled 1, counted for 1
            [0.4, 0.6],  # reaches no threshold: 0.4 < 0.6 and 0.6 < 0.7
        ]
    )
    # thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.7 + 0.8 + 0.6) / 3 = 0.7
    found = confident_learning(labels, probabilities)
    assert found.confident_class.tolist() == [0, 0, 1, 1, 1, -1]
    # counts are [[2, 1], [0, 2]]; rows are brought to the 3 of 6 images that bear each label
    np.testing.assert_allclose(found.joint, [[1 / 3, 1 / 6], [0, 1 / 2]])
    np.testing.assert_allclose(found.margins, [0.8, 0.6, -0.8, 0.4, 0.6, 0.2])
    assert found.issues.tolist() == [2]


def test_an_image_that_reaches_two_thresholds_counts_for_the_likelier():
    labels = np.array([0, 1, 2, 2])
    probabilities = np.array(
        [[0.4, 0.35, 0.25], [0.35, 0.4, 0.25], [0.45, 0.42, 0.13], [0.0, 0.0, 1.0]]
    )
    # thresholds 0.4, 0.4 and (0.13 + 1) / 2 = 0.565; the third image reaches the first two
    found = confident_learning(labels, probabilities)
    assert found.confident_class.tolist() == [0, 1, 0, 2]
    assert found.issues.tolist() == [2]


def test_the_likeliest_class_is_never_suspected():
    # class 0 is given 0.9 on average, so that 0.6 does not reach its threshold; class 1's is low
    labels = np.array([0, 0, 0, 0, 0, 1])
    first = np.array([0.6, 1.0, 1.0, 0.95, 0.95, 0.7])
    found = confident_learning(labels, np.stack([first, 1 - first], axis=1))
    assert found.confident_class[0] == 1
    assert found.margins[0] == pytest.approx(0.2)
    assert found.issues.tolist() == []


def test_the_worst_comes_first_and_absent_classes_do_not_matter():
    labels = np.array([0, 0, 0, 0, 2, 2, 2])
    rows = [[0.9, 0, 0.1], [0.9, 0, 0.1], [0.2, 0, 0.8], [0.05, 0, 0.95],
            [0.1, 0, 0.9], [0.2, 0, 0.8], [0.9, 0, 0.1]]  # fmt: skip
    found = confident_learning(labels, np.array(rows))
    assert found.issues.tolist() == [3, 6, 2]
    assert found.joint.sum() == pytest.approx(1)
    assert found.joint[1].sum() == 0


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_the_joint_is_a_distribution_with_the_labels_shares(seed: int, classes: int):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, 60)
    probabilities = generator.dirichlet(np.ones(classes), 60)
    found = confident_learning(labels, probabilities)
    shares = np.bincount(labels, minlength=classes) / 60
    np.testing.assert_allclose(found.joint.sum(axis=1), shares)
    assert (found.joint >= 0).all()
    assert (found.confident_class[found.issues] != labels[found.issues]).all()
    renamed = generator.permutation(classes)
    other = confident_learning(renamed[labels], probabilities[:, np.argsort(renamed)])
    assert {*other.issues.tolist()} == {*found.issues.tolist()}


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True classes, and the posterior of points about three corners 6 standard deviations apart."""
    generator = np.random.default_rng(seed)
    corners = np.array([[0, 0], [6, 0], [0, 6]])
    true = generator.integers(0, 3, count)
    points = corners[true] + generator.standard_normal((count, 2))
    logits = -((points[:, None] - corners) ** 2).sum(axis=2) / 2
    posterior = np.exp(logits - logits.max(axis=1, keepdims=True))
    return true, posterior / posterior.sum(axis=1, keepdims=True)


def test_planted_errors_are_found_and_their_number_is_estimated():
    true, posterior = blobs(1000, seed=0)
    generator = np.random.default_rng(1)
    planted = generator.choice(1000, 100, replace=False)
    labels = true.copy()
    labels[planted] = (true[planted] + generator.integers(1, 3, 100)) % 3
    found = confident_learning(labels, posterior)
    # corners 6 apart are mistaken in 2 · Φ(−3) = 0.27 % at most: of 100 and of 900 images more than
    # 3 and 10 with a probability below 1e-3
    missed = np.setdiff1d(planted, found.issues)
    wrong = np.setdiff1d(found.issues, planted)
    assert len(missed) <= 3
    assert len(wrong) <= 10
    assert 1 - np.trace(found.joint) == pytest.approx(0.1, abs=0.015)
    np.testing.assert_array_equal(found.confident_class[np.intersect1d(planted, found.issues)],
                                  true[np.intersect1d(planted, found.issues)])  # fmt: skip


def dataset(folder: Path, counts: dict[str, int], **keys: Any) -> PreparedDataset:
    """Images of level 0 or 100, by their true class; the first label of each split is wrong."""
    names = {}
    for split, count in counts.items():
        true = np.arange(count) % 2
        labels = true.astype(np.int32)
        labels[0] = 1 - labels[0]
        images = np.repeat((100 * true).astype(np.uint8), 4).reshape(-1, 2, 2, 1)
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels)
        names[split] = [f"{split}/{row}.png" for row in range(count)]
    (folder / "names.json").write_text(str(names).replace("'", '"'))
    fields: dict[str, Any] = {
        "name": "levels",
        "task": "classification",
        "class_names": ("dark", "bright"),
        "image_shape": (2, 2, 1),
        "ignore_label": None,
        "counts": {name: SplitCounts(total=count, by_class={}) for name, count in counts.items()},
    }
    return PreparedDataset(folder=folder, **fields | keys)


def by_level(images: Any) -> np.ndarray:
    """Logits of a network that knows the true class."""
    bright = np.asarray(images).mean(axis=(1, 2, 3)) / 25 - 2
    return np.stack([-bright, bright], axis=1).astype(np.float32)


def test_both_splits_are_judged_and_told_by_name(tmp_path: Path):
    data = dataset(tmp_path, {"validation": 20, "calibration": 10})
    students = [lambda: by_level] * 3
    record, arrays = find_label_errors(data, students, lambda split: None)
    assert isinstance(record, LabelErrors)
    assert (record.images, record.students, record.teacher) == (
        {"validation": 20, "calibration": 10}, 3, 0,
    )  # fmt: skip
    assert record.found == 2
    first = record.shown[0]
    assert {shown.name for shown in record.shown} == {"validation/0.png", "calibration/0.png"}
    assert (first.given, first.suggested) == ("bright", "dark")
    assert (first.students, first.teacher) == (3, None)
    assert arrays["images"].shape == (2, 2, 2, 1)
    assert not arrays["images"].any()  # both are dark


def test_a_teacher_says_so_of_images_that_it_has_not_learnt(tmp_path: Path):
    data = dataset(tmp_path, {"validation": 20, "calibration": 10})
    rows = np.arange(20) % 2 == 0

    def teacher(split: str) -> TeacherAnswers | None:
        if split == "calibration":
            return None
        # it would call everything bright, where it may be asked
        return TeacherAnswers(rows, np.tile(np.array([-9, 9], np.float32), (20, 1)))

    record, _ = find_label_errors(data, [lambda: by_level] * 2, teacher)
    assert isinstance(record, LabelErrors)
    assert record.teacher == 10
    teachers = {shown.name: shown.teacher for shown in record.shown}
    assert teachers["calibration/0.png"] is None
    assert "validation/1.png" not in teachers


def test_no_more_than_the_page_holds_are_kept(tmp_path: Path):
    data = dataset(tmp_path, {"validation": 300, "calibration": 3})
    labels = np.load(tmp_path / "validation_labels.npy")
    labels[:60] = 1 - labels[:60]
    np.save(tmp_path / "validation_labels.npy", labels)
    record, arrays = find_label_errors(data, [lambda: by_level] * 2, lambda split: None)
    assert isinstance(record, LabelErrors)
    assert record.found > MOST_SHOWN == len(record.shown) == len(arrays["images"])


def test_how_often_models_contradict_labels_and_one_another_by_hand():
    labels = np.array([0, 0, 1, 1])
    answers = np.array([[0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    # labels: (1 + 2 + 2) of 12; pairs: first and second in 1, first and third 1, the others 2 of 4
    assert contradictions(labels, answers) == (pytest.approx(5 / 12), pytest.approx(1 / 3))


def mistaken(images: Any) -> np.ndarray:
    """Logits of a network that takes the second and third image of a split for the other class."""
    logits = by_level(images)
    logits[1:3] *= -1
    return logits


def test_students_that_contradict_one_another_half_as_often_as_the_labels_judge_none(
    tmp_path: Path,
):
    # 2 of 40 labels are wrong, 4 images are mistaken
    data = dataset(tmp_path, {"validation": 20, "calibration": 20})

    def found(mistaken_students: int, others: int) -> LabelErrors | Refusal:
        students = [lambda: mistaken] * mistaken_students + [lambda: by_level] * others
        return find_label_errors(data, students, lambda split: None)[0]

    # labels: (6 + 2) of 80; one another: 4 of 40
    poor = found(1, 1)
    assert isinstance(poor, Refusal)
    assert plain(poor.refused).startswith(
        "the students are too poor to judge labels, as they contradict one another in 10.0 % of "
        "the images and the labels in 10.0 %"
    )
    # labels: (6 + 7 × 2) of 320 = 6.25 %; one another: 7 pairs of 28 in 10 % = 2.5 %
    good = found(1, 7)
    assert isinstance(good, LabelErrors)
    assert good.found == 2
    alone = found(0, 1)
    assert isinstance(alone, Refusal)
    assert "one student cannot tell wrong labels from its own mistakes" in alone.refused


def test_a_few_suspicions_are_shown_whoever_is_to_blame(tmp_path: Path):
    data = dataset(tmp_path, {"validation": 100, "calibration": 100})
    record, _ = find_label_errors(data, [lambda: by_level], lambda split: None)
    assert isinstance(record, LabelErrors)
    assert record.found == 2


@pytest.mark.parametrize(
    ("keys", "students", "reason"),
    [
        ({"task": "segmentation", "ignore_label": 255}, 1, "labels of pixels are not judged"),
        ({"teacher_labelled": ("train", "validation", "calibration")}, 1, "in the place of labels"),
        ({}, 0, "students see no label of the training split"),
    ],
)
def test_where_there_is_nothing_to_judge_the_reason_stands(
    keys: dict[str, Any], students: int, reason: str, tmp_path: Path
):
    data = dataset(tmp_path, {"validation": 4, "calibration": 4}, **keys)
    record, arrays = find_label_errors(data, [lambda: by_level] * students, lambda split: None)
    assert isinstance(record, Refusal)
    assert reason in record.refused
    assert arrays == {}
