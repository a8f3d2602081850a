import numpy as np
import pytest

from kdtasks.core.errors import CalibrationError
from kdtasks.evaluate.exits.rows import exit_rows

LOGITS = np.log(np.array([[[3.0, 1.0], [1.0, 3.0]], [[1.0, 1.0], [1.0, 3.0]]]))


def test_golden_values():
    rows = exit_rows(LOGITS, [1, 1], temperatures=[1.0, 0.5], macs=[25, 100])
    np.testing.assert_allclose(rows.scores, [[0.75, 0.9], [0.5, 0.9]])
    assert rows.correct.tolist() == [[False, True], [False, True]]
    assert rows.cost.tolist() == [0.25, 1.0]


def test_the_score_is_the_one_asked_for():
    rows = exit_rows(LOGITS, [1, 1], temperatures=[1.0, 0.5], macs=[25, 100], score="margin")
    np.testing.assert_allclose(rows.scores, [[0.5, 0.8], [0.0, 0.8]], atol=1e-12)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.empty((0, 1, 3)), np.empty(0, int), "at least one image"),
        (np.zeros((2, 1, 3)), [0], r"logits are \[2, 1, 3\], labels \[1\]"),
        (np.zeros((2, 3)), [0, 1], r"logits are \[2, 3\], .+\[images, exits, classes\]"),
        (np.zeros((2, 1, 4, 4, 3)), np.zeros((2, 4, 4), int), "one label an image"),
        (np.full((2, 1, 3), np.nan), [0, 1], "some logits are not finite"),
    ],
)
def test_rows_that_do_not_fit_are_refused(logits, labels, message):
    with pytest.raises(CalibrationError, match=message):
        exit_rows(logits, labels, temperatures=[1.0], macs=[1])
