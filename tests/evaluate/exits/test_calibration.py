import numpy as np
import pytest

from kdtasks.edge.scores import SCORES, apply_policy
from kdtasks.evaluate.exits.calibrate import calibrate
from kdtasks.evaluate.exits.rows import exit_rows
from kdtasks.evaluate.exits.settings import ExitsParams


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("exits", [1, 3, 5])
def test_content_adds_up(exits, score):
    generator = np.random.default_rng(exits)
    labels = generator.integers(0, 4, 200)
    noise = np.linspace(2.0, 0.7, exits)[None, :, None] * generator.normal(size=(200, exits, 4))
    logits = np.eye(4)[labels][:, None] * 2 + noise
    macs = [100 * (k + 1) for k in range(exits)]
    content, (points, early, shown, left_at) = calibrate(
        (logits, labels),
        (logits[::-1], labels[::-1]),
        ExitsParams(mode="drop", max_accuracy_drop=0.02, score=score, grid=51),
        macs=macs,
    )
    expected, full = content.expected, content.full
    assert expected
    assert full
    assert content.guarantee is None
    # the order of the rows is no matter
    assert content.validation.accuracy == expected.accuracy
    assert content.validation.cost == pytest.approx(expected.cost)
    assert len(content.thresholds) == exits - 1
    assert len(content.temperatures) == len(expected.exit_rate) == exits
    assert sum(expected.exit_rate) == pytest.approx(1.0)
    cost = np.dot(expected.exit_rate, macs) / macs[-1]
    assert expected.cost == pytest.approx(cost)
    rows = exit_rows(logits, labels, temperatures=content.temperatures, macs=macs, score=score)
    assert full.accuracy == rows.correct[:, -1].mean()
    assert full.accuracy - expected.accuracy <= 0.02 + 1e-12
    assert expected.cost == 1.0 or any(point.cost == expected.cost for point in points)
    # where each image leaves at each point, the whole split and the images that the page shows
    everywhere = np.array([apply_policy(rows.scores, point.thresholds) for point in points])
    assert early.tolist() == (everywhere < exits - 1).mean(1).tolist()
    assert (left_at == everywhere[:, shown]).all()
    assert len(shown) == 24
    assert (np.diff(rows.scores[shown, 0]) <= 0).all()
