"""The limits, one by one, on models that were made up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import EvaluationError
from kdtasks.deploy.gate.decision import (
    Contender,
    GateDecision,
    GateParams,
    accuracy_interval,
    decide,
)
from kdtasks.deploy.gate.describe import decision_markdown
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.settings import EvaluateParams
from tests.tools.records import latency


def contender(
    right: int, rows: int = 1000, *, size: int = 20_000, ms: float = 0.1, **times: float
) -> Contender:
    """A model that gets the first `right` images right."""
    score = ClassScore(
        np.ones(rows, int), (np.arange(rows) < right).astype(int), ("no", "yes"), EvaluateParams()
    )
    return Contender("a model", score, size, latency(ms, **times))


def judged(candidate: Contender, production: Contender | None, **limits: Any) -> GateDecision:
    return decide(candidate, production, limits=GateParams(**limits))


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_a_model_as_good_as_production_is_promoted():
    decision = judged(contender(970), contender(970))
    assert decision.action == "promote"
    assert [spaced(reason) for reason in decision.reasons] == [
        "accuracy differs by 0.0 points on the same 1000 test images; with 95 % confidence by no "
        "less than −0.27 points, and a drop of 1.0 points is allowed",
        "1000 test images are enough; gate.min_test_rows asks for 200",
        "the file's size stays (20.0 kB after 20.0 kB); growth by 10.0 % is allowed",
        "the mean latency stays (0.10 ms after 0.10 ms); growth by 25.0 % is allowed",
    ]


def test_without_labels_the_agreement_with_the_teacher_is_held_against_its_limit():
    new, old = (
        one._replace(score=replace(one.score, is_teacher_labelled=True))
        for one in (contender(962), contender(970))
        if isinstance(one.score, ClassScore)
    )
    limits = {"max_accuracy_drop": None, "max_agreement_drop": 0.02}
    decision = judged(new, old, **limits)
    assert decision.action == "promote"
    assert spaced(decision.reasons[0]).startswith(
        "agreement with the teacher differs by −0.8 points on the same 1000 test images; "
    )
    assert "and a drop of 2.0 points is allowed" in spaced(decision.reasons[0])
    assert judged(new, old, **limits | {"max_agreement_drop": 0.01}).action == "keep"
    table = decision_markdown(decision, confidence=0.95)
    assert "test agreement with the teacher" in table
    assert "accuracy" not in table


def test_a_drop_within_the_limit_that_is_not_certain_is_refused():
    # 8 losses of 1,000: the drop is 0.8 points, its bound beyond the one that is allowed
    decision = judged(contender(962), contender(970))
    assert decision.action == "keep"
    assert "by no less than −1.4" in spaced(decision.reasons[0])


@pytest.mark.parametrize("method", ["mcnemar", "bootstrap"])
def test_no_drop_allowed_asks_for_proof_of_a_gain(method: str):
    options = {"method": method, "max_accuracy_drop": 0.0}
    assert judged(contender(970), contender(970), **options).action == "keep"
    assert judged(contender(980), contender(970), **options).action == "promote"


def test_the_bootstrap_decides_likewise():
    options = {"method": "bootstrap"}
    assert judged(contender(962), contender(970), **options).action == "keep"
    assert judged(contender(969), contender(970), **options).action == "promote"


def test_few_images_tell_nothing():
    decision = judged(contender(199, 199), contender(0, 199))
    assert decision.action == "keep"
    assert "199 test images are too few to tell; gate.min_test_rows asks for 200" in (
        decision.reasons
    )
    enough = judged(contender(200, 200), contender(0, 200))
    assert enough.action == "promote"
    assert "200 test images are enough; gate.min_test_rows asks for 200" in enough.reasons


@pytest.mark.parametrize(
    ("changes", "limits", "reason"),
    [
        ({"size": 22_001}, {}, "the file's size grows by 10.0 % (22.0 kB after 20.0 kB)"),
        ({"ms": 0.126}, {}, "the mean latency grows by 26.0 % (0.13 ms after 0.10 ms)"),
        ({}, {"max_size_kb": 19.9}, "the file has 20.0 kB; 19.9 kB are allowed"),
        ({}, {"max_latency_ms": 0.09}, "the mean latency is 0.10 ms; 0.090 ms are allowed"),
        ({}, {"min_accuracy": 0.9999}, "accuracy is 100.0 %, with 95 % confidence no less than"),
    ],
)
def test_a_limit_that_is_broken_keeps_production(
    changes: dict[str, Any], limits: dict[str, float], reason: str
):
    production = contender(900)
    assert judged(contender(1000), production).action == "promote"
    decision = judged(contender(1000, **changes), production, **limits)
    assert decision.action == "keep"
    assert any(spaced(one).startswith(reason) for one in decision.reasons)


def test_the_statistic_that_is_named_decides():
    """Of 51 and of 49 in 100 leave at the first exit, 0.1 ms; the others run on, 0.3 ms."""
    production = contender(970, p50=0.1, ms=0.198, p90=0.3, p99=0.3, worst=0.3)
    candidate = contender(970, p50=0.3, ms=0.202, p90=0.3, p99=0.3, worst=0.3)
    assert judged(candidate, production).action == "promote"
    assert judged(candidate, production, latency_statistic="worst").action == "promote"
    by_median = judged(candidate, production, latency_statistic="p50")
    assert [spaced(reason) for reason in by_median.reasons] == [
        "the median latency grows by 200.0 % (0.30 ms after 0.10 ms); growth by 25.0 % is allowed"
    ]
    by_worst = judged(candidate, None, latency_statistic="worst", max_latency_ms=0.25)
    assert [spaced(reason) for reason in by_worst.reasons] == [
        "the whole-network latency is 0.30 ms; 0.25 ms are allowed"
    ]
    assert judged(candidate, None, max_latency_ms=0.25).action == "promote"


def test_what_equals_its_limit_is_within_it():
    decision = judged(contender(1000, size=22_000, ms=0.125), contender(900))
    assert decision.action == "promote"
    sized = judged(contender(1000), None, max_size_kb=20.0, max_latency_ms=0.1)
    assert sized.action == "promote"


def test_a_limit_that_is_null_is_none():
    giant = contender(1000, size=10**9, ms=1000.0)
    limits = {"max_size_growth": None, "max_latency_growth": None}
    decision = judged(giant, contender(900), **limits)
    assert decision.action == "promote"
    assert decision.reasons[2].endswith("no growth is too much")


def test_without_production_only_absolute_limits_count():
    first = judged(contender(5, 10), None)
    assert first.action == "promote"
    assert first.reasons == ("there is no model in production yet, so only absolute limits count",)
    assert first.comparison is None
    assert judged(contender(5, 10), None, min_accuracy=0.9).action == "keep"


def test_the_ends_of_the_interval_shown_are_one_sided_bounds():
    low, high = accuracy_interval(contender(970).score, 0.95)
    assert (low, high) == pytest.approx((0.95978, 0.97768), abs=1e-5)


def test_answers_to_other_images_are_refused():
    with pytest.raises(EvaluationError, match="same images"):
        judged(contender(10, 10), contender(10, 11))


def test_another_metric_is_judged_and_the_rarest_class_named():
    """One more of four scratched ones is missed: half a point of accuracy, 12 of the recalls."""
    settings = EvaluateParams.model_validate({"metric": "balanced_accuracy"})
    labels = np.array([0] * 200 + [1] * 4)
    found = [
        Contender("a model", ClassScore(labels, answers, ("good", "scratched"), settings), *rest)
        for missed, rest in ((2, (20_000, latency(0.1))), (1, (20_000, latency(0.1))))
        for answers in [np.concatenate([labels[:-missed], [0] * missed])]
    ]
    decision = judged(*found)
    assert decision.action == "keep"
    assert spaced(decision.reasons[0]).startswith(
        "balanced accuracy differs by −12.5 points on the same 204 test images"
    )
    assert decision.reasons[0].endswith(
        "; the class scratched has 4 test images, which the bound rests on"
    )
