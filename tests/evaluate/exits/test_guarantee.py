"""The promise of mode `guarantee`, kept in simulation, and what it says where it cannot be made."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.stats import binom

from kdtasks.core.errors import CalibrationError
from kdtasks.core.records.calibration import CandidateCounts
from kdtasks.edge.scores import NEVER, apply_policy
from kdtasks.evaluate.exits.calibrate import calibrate
from kdtasks.evaluate.exits.guarantee import (
    certify,
    guarantee,
    safest_first,
    split_rows,
    statement,
)
from kdtasks.evaluate.exits.rows import ExitRows, exit_rows, losses_of
from kdtasks.evaluate.exits.search import outcomes_of, pareto_front
from kdtasks.evaluate.exits.settings import ExitsParams, Risk
from kdtasks.evaluate.exits.thresholds import policy_outcomes

MACS = (20, 50, 100)
TRIALS = 500
DELTA = 0.1
RISKS: tuple[Risk, ...] = ("consistency", "accuracy_gap")


def settings_of(risk: Risk, epsilon: float, **others: Any) -> ExitsParams:
    return ExitsParams(mode="guarantee", risk=risk, epsilon=epsilon, delta=DELTA, **others)


class Pool(NamedTuple):
    """A population: calibration rows are drawn from it, and the true risk is its mean."""

    logits: np.ndarray
    labels: np.ndarray


@pytest.fixture(scope="module")
def synthetic() -> Pool:
    """Later exits see a clearer signal; hard images have a weak one at every exit."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 5, 4_000)
    strength = generator.gamma(2.0, 2.5, len(labels))[:, None, None]
    clearness = np.array([0.6, 0.9, 1.2])[None, :, None]
    noise = generator.normal(size=(len(labels), 3, 5))
    return Pool(np.eye(5)[labels][:, None] * strength * clearness + noise, labels)


@pytest.fixture(scope="module")
def real() -> Pool:
    """Digits that three classifiers have not seen: 16 coarse pixels, 64 pixels, hidden layers."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    digits = load_digits()
    pixels, labels = digits.data / 16, digits.target
    coarse = pixels.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    order = np.random.default_rng(0).permutation(len(labels))
    train, rest = order[:500], order[500:]
    first = LogisticRegression(max_iter=500).fit(coarse[train], labels[train])
    second = LogisticRegression(max_iter=500).fit(pixels[train], labels[train])
    last = MLPClassifier((64,), max_iter=60, random_state=0, tol=0, n_iter_no_change=1000)
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(UserWarning)
        last.fit(pixels[train], labels[train])
    logits = [
        first.decision_function(coarse[rest]),
        second.decision_function(pixels[rest]),
        np.log(last.predict_proba(pixels[rest]) + 1e-12),
    ]
    return Pool(np.stack(logits, axis=1), labels[rest])


def truth_of(pool: Pool, risk: str) -> np.ndarray:
    return pool.labels if risk == "accuracy_gap" else pool.logits[:, -1].argmax(axis=1)


def rows_of(pool: Pool, risk: str, temperatures) -> ExitRows:
    return exit_rows(pool.logits, truth_of(pool, risk), temperatures=temperatures, macs=MACS)


def cost_of(rows: ExitRows, thresholds) -> float:
    return float(rows.cost[apply_policy(rows.scores, thresholds)].mean())


@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize("name", ["synthetic", "real"])
def test_the_promise_is_kept_and_worth_something(name, risk, request):
    pool: Pool = request.getfixturevalue(name)
    epsilon = 0.02
    generator = np.random.default_rng(1)
    broken, naively_broken, costs = 0, 0, []
    for trial in range(TRIALS):
        drawn = generator.integers(0, len(pool.labels), 400)
        found = guarantee(
            pool.logits[drawn],
            pool.labels[drawn],
            settings_of(risk, epsilon, seed=trial, grid=12),
            macs=MACS,
        )
        everyone = rows_of(pool, risk, found.temperatures)
        broken += losses_of(everyone, found.thresholds).mean() > epsilon
        costs.append(cost_of(everyone, found.thresholds))
        # The cheapest thresholds whose mean loss is at most ε on the rows that chose them.
        rows = ExitRows(everyone.scores[drawn], everyone.correct[drawn], everyone.macs)
        front = pareto_front(policy_outcomes(rows, grid=12))
        lost = rows.correct[:, -1].sum() - front.correct
        naive = front.thresholds[np.flatnonzero(lost <= epsilon * len(drawn))[0]]
        naively_broken += losses_of(everyone, naive).mean() > epsilon
    allowed = binom.ppf(1 - 1e-6, TRIALS, DELTA)
    assert broken <= allowed
    assert naively_broken > allowed  # or the promise would have been easy to keep
    assert np.mean(costs) < 0.9  # never leaving early would keep it as well


@pytest.mark.parametrize("risk", RISKS)
def test_content_of_the_record(synthetic, risk):
    logits, labels = synthetic.logits[:1000], synthetic.labels[:1000]
    settings = settings_of(risk, 0.05, seed=3)
    found = guarantee(logits, labels, settings, macs=MACS)
    promise = found.promise
    assert promise.certified is True
    assert promise.p_value is not None
    assert 0 <= promise.p_value <= 0.1
    assert promise.rows == 500
    assert 0 < promise.candidates.certified <= promise.candidates.found
    # The figures are those of the second half alone.
    _, testing = split_rows(np.arange(1000), seen_rows=0, seed=3)
    half = Pool(logits[testing], labels[testing])
    losses = losses_of(rows_of(half, risk, found.temperatures), found.thresholds)
    assert promise.loss == pytest.approx(losses.mean())
    assert guarantee(logits, labels, settings, macs=MACS) == found
    rows = (logits, labels)
    calibration, _ = calibrate(rows, rows, settings, macs=MACS)
    assert calibration.guarantee == promise
    assert calibration.thresholds == found.thresholds
    assert calibration.temperatures == tuple(found.temperatures)


def test_candidates_are_tested_in_order_up_to_the_first_failure(synthetic):
    rows = exit_rows(
        synthetic.logits[:600], synthetic.labels[:600], temperatures=(1,) * 3, macs=MACS
    )
    candidates = safest_first(rows, 30)
    outcomes = outcomes_of(rows, candidates)
    assert (np.diff(outcomes.macs) < 0).all()
    assert (np.diff(outcomes.correct) < 0).all()
    assert outcomes.macs[0] < rows.macs[-1] * 600
    settings = settings_of("accuracy_gap", 0.02)
    p_values = certify(rows, candidates, settings)
    assert 0 < len(p_values) < len(candidates)
    assert max(p_values) <= 0.1
    # One that would pass is not looked at after one that does not.
    shuffled = [candidates[-1], candidates[0]]
    assert certify(rows, shuffled, settings) == []


def test_losses_by_hand():
    rows = ExitRows(
        scores=np.array([[0.9, 1.0], [0.9, 1.0], [0.9, 1.0], [0.1, 1.0]]),
        correct=np.array([[True, True], [False, True], [True, False], [False, True]]),
        macs=np.array([1, 2]),
    )
    assert losses_of(rows, (0.5,)).tolist() == [0, 1, -1, 0]
    assert losses_of(rows, (NEVER,)).tolist() == [0, 0, 0, 0]


def test_halves_are_seeded_and_nothing_is_tested_on_rows_the_model_has_seen():
    choosing, testing = split_rows(np.arange(101), seen_rows=30, seed=5)
    assert len(testing) == 50
    assert sorted([*choosing, *testing]) == list(range(101))
    assert testing.min() >= 30
    assert sorted(testing) != list(testing)  # an order that does not depend on the rows
    np.testing.assert_array_equal(split_rows(np.arange(101), seen_rows=30, seed=5)[1], testing)
    assert set(split_rows(np.arange(101), seen_rows=30, seed=6)[1]) != set(testing)
    assert len(split_rows(np.arange(101), seen_rows=80, seed=5)[1]) == 21
    assert len(split_rows(np.arange(101), seen_rows=200, seed=5)[1]) == 0


@pytest.mark.parametrize(
    ("rows", "seen_rows", "message"),
    [
        # ln 0.1 / ln 0.99 = 229.1
        (
            400,
            0,
            r"has 400 images, which leaves 200 to test on; .* takes 230: give the split 460",
        ),
        (
            460,
            400,
            r"leaves 60 to test on; .* takes 230: give the split 630 images, or raise exits",
        ),
    ],
)
def test_too_few_rows_are_refused_with_the_number_needed(synthetic, rows, seen_rows, message):
    settings = settings_of("consistency", 0.01)
    with pytest.raises(CalibrationError, match=message):
        guarantee(
            synthetic.logits[:rows],
            synthetic.labels[:rows],
            settings,
            macs=MACS,
            seen_rows=seen_rows,
        )
    guarantee(synthetic.logits[:460], synthetic.labels[:460], settings, macs=MACS)


def test_of_each_group_one_row_is_tested_and_none_chooses(synthetic):
    groups = np.random.default_rng(5).integers(0, 80, 300)
    choosing, testing = split_rows(groups, seen_rows=20, seed=1)
    assert len(np.unique(groups[testing])) == len(testing) == len(np.unique(groups)) // 2
    assert not np.isin(groups[testing], groups[choosing]).any()
    assert not np.isin(groups[testing], groups[:20]).any()
    assert np.isin(groups[choosing], groups[testing]).sum() == 0
    # rows of a tested group that were not drawn are used for nothing
    assert len(choosing) + np.isin(groups, groups[testing]).sum() == 300


def test_rows_on_their_own_give_what_no_groups_give(synthetic):
    logits, labels = synthetic.logits[:1000], synthetic.labels[:1000]
    settings = settings_of("consistency", 0.05, seed=3)
    alone = guarantee(logits, labels, settings, macs=MACS, groups=np.arange(1000))
    assert alone == guarantee(logits, labels, settings, macs=MACS)


def test_copies_are_told_where_they_leave_too_few_to_test_on(synthetic):
    rows = np.repeat(np.arange(92), 5)
    with pytest.raises(CalibrationError, match=r"460 images in 92 groups, .* the split 460 gr"):
        guarantee(
            synthetic.logits[rows],
            synthetic.labels[rows],
            settings_of("consistency", 0.01),
            macs=MACS,
            groups=rows,
        )


def test_where_nothing_can_be_certified_the_full_model_is_used():
    # The first exit is sure of itself and always wrong.
    labels = np.zeros(200, int)
    logits = np.tile([[[0.0, 9.0], [9.0, 0.0]]], (200, 1, 1))
    found = guarantee(logits, labels, settings_of("consistency", 0.05), macs=(1, 2))
    assert found.thresholds == (NEVER,)
    assert found.promise.certified is False
    assert found.promise.p_value is None
    assert found.promise.loss == 0.0
    assert found.promise.statement == (
        "No early exit could be certified on 100 images, so the full model is used: every "
        "image takes the whole network."
    )


def test_a_network_with_one_exit_has_nothing_to_certify(synthetic):
    found = guarantee(
        synthetic.logits[:200, :1],
        synthetic.labels[:200],
        settings_of("accuracy_gap", 0.1),
        macs=(1,),
    )
    assert found.thresholds == ()
    assert found.promise.statement == "The network has one exit, so there is nothing to certify."


def test_statements_say_what_is_promised():
    counts = CandidateCounts(found=3, certified=1)
    assert statement(settings_of("consistency", 0.015), counts, 100) == (
        "Guaranteed with 90 % confidence: at most 1.5 % of new images get another answer than "
        "the last exit's."
    )
    assert statement(settings_of("accuracy_gap", 0.015), counts, 100) == (
        "Guaranteed with 90 % confidence: early exits lose right answers on balance in at most "
        "1.5 % of new images, against the last exit."
    )
