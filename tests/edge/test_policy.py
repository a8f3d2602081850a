import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.edge.scores import ALWAYS, NEVER, apply_policy

LEVELS = st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0])


def test_golden_values():
    scores = [[0.9, 0.1], [0.5, 0.9], [0.5, 0.7], [0.8, 0.9]]
    np.testing.assert_array_equal(apply_policy(scores, [0.8, 0.75]), [0, 1, 2, 0])


def test_a_score_equal_to_its_threshold_leaves():
    assert apply_policy([[0.5]], [0.5]).tolist() == [0]
    assert apply_policy([[np.nextafter(0.5, 0)]], [0.5]).tolist() == [1]


def test_always_and_never():
    scores = [[1e-9, 1.0], [1.0, 1.0]]
    assert apply_policy(scores, [ALWAYS, NEVER]).tolist() == [0, 0]
    assert apply_policy(scores, [NEVER, NEVER]).tolist() == [2, 2]


def test_one_exit_takes_everything():
    assert apply_policy(np.empty((3, 0)), []).tolist() == [0, 0, 0]
    assert apply_policy(np.ones((3, 1)), []).tolist() == [0, 0, 0]


@given(
    st.integers(1, 4).flatmap(
        lambda early: st.tuples(
            arrays(np.float64, (7, early + 1), elements=LEVELS),
            st.lists(st.one_of(LEVELS, st.just(NEVER)), min_size=early, max_size=early),
        )
    )
)
def test_policy_is_the_plain_loop(case):
    scores, thresholds = case
    expected = []
    for row in scores:
        k = 0
        while k < len(thresholds) and row[k] < thresholds[k]:
            k += 1
        expected.append(k)
    assert apply_policy(scores, thresholds).tolist() == expected
    assert apply_policy(scores[:, :-1], thresholds).tolist() == expected
