"""Which test images are shown, and the count of changed answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.records.evaluate import ChangedAnswers
from kdtasks.evaluate.examples import pick_differences, pick_examples, pick_mistakes
from kdtasks.evaluate.intervals import score_interval
from kdtasks.evaluate.metrics import changed_rows, count_changed

# Two exits: rows 0, 1, 2 and 4 leave at the first, rows 3 and 5 at the last.
BY_EXIT = np.array([[0, 0], [1, 0], [2, 0], [1, 0], [1, 2], [1, 1]])
EXIT_INDEX = np.array([0, 0, 0, 1, 0, 1])
LABELS = np.array([0, 0, 2, 0, 0, 0])
SCORES = np.array([[0.7, 0.9], [0.9, 0.9], [0.8, 0.5], [0.1, 0.6], [0.95, 0.2], [0.1, 0.8]])


def test_changed_answers_by_hand() -> None:
    assert changed_rows(BY_EXIT, EXIT_INDEX).tolist() == [1, 2, 4]
    # Row 1: the last exit is right; row 2: the early one; row 4: neither.
    assert count_changed(LABELS, BY_EXIT, EXIT_INDEX, 0.9) == ChangedAnswers(
        rows=3, early_right=1, last_right=1, interval=score_interval(1, 1, 6, 0.9)
    )
    assert count_changed(LABELS, BY_EXIT, np.ones(6, int), 0.9) == ChangedAnswers(
        rows=0, early_right=0, last_right=0, interval=score_interval(0, 0, 6, 0.9)
    )


def test_examples_go_from_the_surest_to_the_least_sure() -> None:
    rows, group = pick_examples(BY_EXIT, EXIT_INDEX, SCORES)
    assert rows.tolist() == [4, 1, 2, 0, 5, 3, 4, 1, 2]
    assert group.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2]
    rows, group = pick_examples(BY_EXIT, EXIT_INDEX, SCORES, per_group=2)
    assert rows.tolist() == [4, 0, 5, 3, 4, 2]
    assert group.tolist() == [0, 0, 1, 1, 2, 2]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 4), st.integers(1, 12))
def test_examples_are_of_their_group_and_differ(
    seed: int, number: int, exits: int, each: int
) -> None:
    generator = np.random.default_rng(seed)
    by_exit = generator.integers(0, 3, (number, exits))
    exit_index = generator.integers(0, exits, number)
    rows, group = pick_examples(
        by_exit, exit_index, generator.random((number, exits)), per_group=each
    )
    changed = set(changed_rows(by_exit, exit_index).tolist())
    for k in range(exits):
        members = rows[group == k]
        assert (exit_index[members] == k).all()
        assert len(set(members.tolist())) == len(members) == min(each, (exit_index == k).sum())
    assert set(rows[group == exits].tolist()) <= changed
    assert (group == exits).sum() == min(each, len(changed))


def test_nobody_leaves_at_an_exit() -> None:
    rows, group = pick_examples(BY_EXIT, np.ones(6, int), SCORES, per_group=3)
    assert group.tolist() == [1, 1, 1]
    assert rows[0] == pytest.approx(0)


def test_mistakes_are_the_surest_few_of_each_label_and_answer() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    predicted = np.array([1, 1, 1, 0, 0, 1, 1])
    scores = np.array([0.5, 0.9, 0.7, 1.0, 0.6, 1.0, 0.95])
    assert pick_mistakes(labels, predicted, scores, per_pair=2).tolist() == [6, 1, 2, 4]
    assert pick_mistakes(labels, predicted, scores, per_pair=2, max_rows=3).tolist() == [6, 1, 2]
    assert pick_mistakes(labels, labels, scores).tolist() == []


def test_differences_are_kept_apart_by_who_is_right() -> None:
    labels, teacher, student = np.array(
        [
            [0, 0, 0, 1, 1, 1, 2, 2],
            [0, 0, 0, 1, 2, 1, 0, 2],  # the teacher
            [1, 0, 2, 0, 1, 1, 1, 1],  # the student
        ]
    )
    rows, counts = pick_differences(labels, teacher, student)
    # the teacher is right about 0, 2, 3 and 7, the student about 4, and neither about 6
    assert rows.tolist() == [0, 2, 3, 7, 4, 6]
    assert counts.tolist() == [4, 1, 1]
    rows, counts = pick_differences(labels, teacher, student, per_group=2)
    assert (rows.tolist(), counts.tolist()) == ([0, 7, 4, 6], [4, 1, 1])
    rows, counts = pick_differences(labels, labels, labels)
    assert (rows.tolist(), counts.tolist()) == ([], [0, 0, 0])
