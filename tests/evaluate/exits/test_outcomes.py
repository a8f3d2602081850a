import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.evaluate.exits.rows import ExitRows
from kdtasks.evaluate.exits.search import Outcomes, outcomes_of, pareto_front


def test_outcomes_by_hand():
    rows = ExitRows(
        scores=np.array([[0.9, 0.9], [0.6, 0.9], [0.4, 0.9]]),
        correct=np.array([[True, True], [False, True], [False, False]]),
        macs=np.array([10, 30]),
    )
    found = outcomes_of(rows, [[2.0], [0.7], [0.5], [0.0]])
    assert found.correct.tolist() == [2, 2, 1, 1]
    assert found.macs.tolist() == [90, 70, 50, 30]


def test_front_by_hand():
    outcomes = Outcomes(
        np.array([[0.1], [0.2], [0.3], [0.4], [0.5]]),
        np.array([5, 7, 7, 6, 9]),
        np.array([10, 20, 20, 25, 30]),
    )
    front = pareto_front(outcomes)
    # 0.3 comes to the same as 0.2 and is the safer one; 0.4 costs more than both for less.
    assert front.thresholds[:, 0].tolist() == [0.1, 0.3, 0.5]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_front_is_what_no_other_beats(points):
    correct, macs = (np.array(column) for column in zip(*points, strict=True))
    front = pareto_front(Outcomes(np.arange(len(points), dtype=float)[:, None], correct, macs))
    expected = {
        (c, m)
        for c, m in points
        if not any((d >= c and n <= m) and (d, n) != (c, m) for d, n in points)
    }
    assert list(zip(front.correct, front.macs, strict=True)) == sorted(
        expected, key=lambda point: point[1]
    )
