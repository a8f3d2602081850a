import dataclasses
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TelemetryError
from kdtasks.deploy.drift import DriftParams, detect_drift
from kdtasks.edge.telemetry import Histograms, Telemetry

LIMITS = DriftParams(max_index=0.2, min_answers=500)
USUAL = Histograms((800, 200), (0, 0, 0, 0, 0, 0, 50, 50, 100, 800))


def summary(exits: tuple[int, ...], *, sha256: str = "ab", low: int = 0) -> Telemetry:
    """Answers with confidences as usual, but for some low ones."""
    answers = sum(exits) - low
    confidences = [0, low, 0, 0, 0, 0, answers // 20, answers // 20, answers // 10]
    return Telemetry(
        model="m",
        sha256=sha256,
        begun="then",
        ended="now",
        exits=exits,
        confidences=(*confidences, sum(exits) - sum(confidences)),
    )


def detect(*summaries: Telemetry) -> Any:
    return detect_drift(summaries, USUAL, sha256="ab", limits=LIMITS)


def test_answers_as_usual():
    drift = detect(summary((400, 100)), summary((400, 100)))
    assert not drift.is_drift
    assert (drift.answers, drift.others) == (1000, 0)
    assert drift.sentence.startswith("no drift in 1000 answers (exits 0.000, confidences 0.0")
    low = "200 confidences below 0.9 where 200.0 were expected, p = 1"
    assert drift.sentence.endswith(f"; 0.2 is allowed; {low})")


def test_more_images_go_on_to_the_last_exit():
    drift = detect(summary((250, 250)))
    assert drift.is_drift
    assert drift.sentence.startswith("exits of 500 answers have drifted (exits 0.4")


def test_lower_confidences_are_drift_without_exits():
    drift = detect(summary((400, 100), low=150))
    assert drift.is_drift
    assert drift.sentence.startswith("confidences and low confidences of 500 answers have drifted")
    assert drift.low_confidences < 1e-9
    assert drift._asdict() == {
        "answers": 500,
        "others": 0,
        "exits": drift.exits,
        "confidences": drift.confidences,
        "low_confidences": drift.low_confidences,
        "is_drift": True,
        "sentence": drift.sentence,
    }


def test_a_few_odd_images_are_seen_that_the_index_misses():
    drift = detect(summary((400, 100), low=15))
    assert drift.confidences < 0.2
    assert drift.is_drift
    assert drift.sentence.startswith("low confidences of 500 answers have drifted (exits 0.000, ")
    assert "; 15 confidences below 0.2 where 0.0 were expected, p = " in drift.sentence


def test_the_false_alarm_rate_decides():
    usual = summary((400, 100))
    odd = dataclasses.replace(usual, confidences=(*[0] * 6, 40, 25, 50, 385))
    judged = {
        rate: detect_drift([odd], USUAL, sha256="ab", limits=DriftParams(false_alarm_rate=rate))
        for rate in (0.01, 0.2)
    }
    (p_value,) = {drift.low_confidences for drift in judged.values()}
    assert 0.75 * 0.01 < p_value <= 0.75 * 0.2
    assert [drift.is_drift for drift in judged.values()] == [False, True]


def test_few_answers_say_nothing():
    drift = detect(summary((0, 499)))
    assert drift.exits > 0.2
    assert not drift.is_drift
    assert drift.sentence == "499 answers are too few to tell; drift.min_answers asks for 500"
    assert detect().answers == 0


def test_few_test_images_leave_more_to_chance():
    seldom = Histograms((20, 5), (0, 0, 0, 0, 0, 0, 2, 0, 3, 20))
    drift = detect_drift([summary((250, 250))], seldom, sha256="ab", limits=LIMITS)
    assert drift.exits > 0.2
    assert not drift.is_drift
    assert drift.sentence.endswith(
        "; 0.2 is allowed, and with 25 test images chance alone gives up to 1.15; "
        "50 confidences below 0.8 where 40.0 were expected, p = 1)"
    )
    # what is far beyond chance is drift with few test images, too
    assert detect_drift([summary((0, 500))], seldom, sha256="ab", limits=LIMITS).is_drift


def test_other_models_are_left_aside():
    drift = detect(summary((400, 100)), summary((0, 700), sha256="cd"))
    assert (drift.answers, drift.others, drift.is_drift) == (500, 700, False)
    assert drift.sentence.endswith("; 700 answers of other models were left aside")


def test_exits_that_the_model_does_not_have():
    with pytest.raises(TelemetryError, match="from then counts 3 exits, the model has 2"):
        detect(summary((1, 1, 1)))


def test_the_reference_is_the_test_split(tmp_path, pixel_models):
    from pathlib import Path

    from kdtasks.data.prepared import open_prepared
    from kdtasks.deploy.drift import reference_histograms
    from kdtasks.edge.classifier import Classifier
    from kdtasks.edge.telemetry import TelemetryCounter
    from kdtasks.params import load_params
    from tests.tools.pixel_bundles import write_pixel_bundle, write_pixel_dataset

    recipe = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
    write_pixel_dataset(tmp_path / "data", load_params(recipe), [(20, True, False)])
    data = open_prepared(tmp_path / "data")
    bundle = write_pixel_bundle(tmp_path / "bundle", pixel_models[0])
    found = reference_histograms(bundle, data)
    model = Classifier.load(bundle)
    counter = TelemetryCounter(model.manifest)
    for image in np.asarray(data.images("test")):
        counter.add(model.predict(image))
    counted = counter.take()
    assert found == (counted.exits, counted.confidences)
    assert sum(found.exits) == 20
