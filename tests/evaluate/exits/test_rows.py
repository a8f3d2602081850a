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
    ("changes", "message"),
    [
        ({"temperatures": [1.0]}, r"with 1 temperatures and 2 MAC counts"),
        ({"macs": [1]}, r"with 2 temperatures and 1 MAC counts"),
        ({"macs": [100, 25]}, r"macs are \[100, 25\]; positive whole numbers"),
        ({"macs": [0, 25]}, r"macs are \[0, 25\]"),
        ({"macs": [0.5, 1.0]}, r"macs are \[0.5, 1.0\]"),
        ({"temperatures": [1.0, 0.0]}, "all must be above 0"),
        ({"score": "luck"}, "no score 'luck'; the scores are max_probability, margin, entropy"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(CalibrationError, match=message):
        exit_rows(LOGITS, [1, 1], **{"temperatures": [1.0, 0.5], "macs": [25, 100], **changes})


def test_a_label_a_pixel_is_refused():
    with pytest.raises(CalibrationError, match="one label an image"):
        exit_rows(np.zeros((2, 1, 4, 4, 3)), np.zeros((2, 4, 4), int), temperatures=[1], macs=[1])
