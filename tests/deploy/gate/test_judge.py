"""Candidate and production answer the same images, as real bundles from a real store."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kdtasks.core.errors import EvaluationError
from kdtasks.core.latency import Latency
from kdtasks.deploy.gate.describe import decision_lines, decision_markdown, decision_message
from kdtasks.deploy.gate.gate import GateSettings, assess_candidate, incomparable
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.records import fetch_version
from kdtasks.edge.benchmark import BenchmarkRun
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.evaluate.devices.benchmark import benchmark_on
from kdtasks.evaluate.intervals import PairedComparison
from kdtasks.evaluate.parity import ParityParams
from kdtasks.params import Params
from tests.deploy.gate.conftest import Workshop
from tests.tools.records import parity


def settings_of(params: Params) -> GateSettings:
    return GateSettings(
        params.gate, params.compress.parity, params.evaluate, params.benchmark, params.data
    )


def test_a_model_too_far_from_its_network_is_kept_out(workshop: Workshop):
    digest = workshop.data([(280, True, True), (20, True, False)])
    workshop.publish(workshop.bundle(1, "old", dataset_sha256=digest))
    far = parity((0.5, 0.03)).model_dump(mode="json", exclude_defaults=True)
    bundle, settings = workshop.bundle(0, parity=far), settings_of(workshop.params)
    for production in (None, workshop.production()):
        decision = assess_candidate(bundle, production, project=workshop.project, settings=settings)
        assert decision.action == "keep"
        [reason] = decision.reasons
        assert "the logits of exit 1 of 1 are off by 50\u00a0%" in reason
        assert "25\u00a0% are allowed (max_logit_error), on 300 calibration images" in reason
        assert decision.candidate is None  # the test split was not asked
    raised = settings._replace(parity=ParityParams(max_logit_error=0.6))
    decision = assess_candidate(bundle, production, project=workshop.project, settings=raised)
    assert decision.action == "promote"


def test_latency_is_taken_on_the_device_that_counts(workshop: Workshop):
    workshop.data([(280, True, True), (20, True, False)])
    asked = []

    def there(device: str | None, *given: Any) -> BenchmarkRun:
        run = benchmark_on(None, *given)
        asked.append((device, len(run.bundles)))
        slow = Latency(9.0, 9.0, 9.0, 9.0, 9.0)
        return replace(run, bundles=tuple(replace(it, latency_ms=slow) for it in run.bundles))

    settings = settings_of(workshop.params)._replace(device="ssh://pi", timed=there)
    decision = assess_candidate(
        workshop.bundle(0), None, project=workshop.project, settings=settings
    )
    assert asked == [("ssh://pi", 1)]
    assert decision.notes == ("latency is that on ssh://pi",)
    assert decision.candidate is not None
    assert decision.candidate.latency_ms.mean == 9.0


def test_a_better_model_is_promoted_and_a_worse_one_is_not(workshop: Workshop):
    digest = workshop.data([(280, True, True), (20, True, False)])
    workshop.publish(workshop.bundle(1, "old", dataset_sha256=digest))
    production = workshop.production()
    decision = assess_candidate(
        workshop.bundle(0),
        production,
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    assert decision.action == "promote"
    assert decision.comparison is not None
    assert isinstance(decision.comparison, PairedComparison)
    assert decision.comparison[:2] == (300, 20 / 300)
    assert (decision.comparison.gained, decision.comparison.lost) == (20, 0)
    assert decision.candidate is not None
    assert (decision.candidate.title, decision.candidate.score.value) == ("variant float32", 1.0)
    assert decision.production is not None
    assert (decision.production.title, decision.production.score.value) == ("version 1", 280 / 300)
    assert decision.production.latency_ms.worst > 0
    assert decision.notes == ()

    workshop.data([(280, True, True), (20, False, True)])
    worse = assess_candidate(
        workshop.bundle(0),
        production,
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    assert worse.action == "keep"
    # the images are not those that production was made with
    assert worse.notes[0].startswith("production was made from other data")
    assert decision_lines(worse)[0] == "pixels@production, version 1: unchanged"
    assert "differs by −" in decision_message(worse)
    assert "\u00a0" not in decision_message(worse) + "".join(decision_lines(worse))

    # with a stable split they are apart from those that it was trained on all the same
    content = workshop.params.model_dump()
    content["data"]["stable_split"] = True
    stable = Params.model_validate(content)
    made = {"data": content["data"]}
    workshop.publish(workshop.bundle(1, "stable", parameters=made))
    told = [
        assess_candidate(
            workshop.bundle(0),
            workshop.production(),
            project=workshop.project,
            settings=settings_of(params),
        )
        for params in (stable, workshop.params)
    ]
    assert [len(one.notes) for one in told] == [0, 1]


def test_the_first_model_has_nobody_to_beat(workshop: Workshop):
    workshop.data([(10, True, True), (10, False, True)])
    assert workshop.production() is None
    decision = assess_candidate(
        workshop.bundle(0), None, project=workshop.project, settings=settings_of(workshop.params)
    )
    assert decision.action == "promote"
    assert decision.candidate is not None
    assert decision.candidate.score.value == 0.5


def test_the_same_bytes_are_nothing_to_do(workshop: Workshop):
    workshop.data([(300, True, True)])
    bundle = workshop.bundle(0)
    workshop.publish(bundle)
    decision = assess_candidate(
        bundle,
        workshop.production(),
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    assert decision.action == "nothing"
    assert decision.reasons == (
        "the new model is version 1, which is in production, byte for byte",
    )
    assert decision.candidate is None


@pytest.mark.parametrize("ahead", ["who published it", "who rolled back"])
def test_a_version_that_somebody_rolled_back_from_does_not_come_back(
    workshop: Workshop, monkeypatch, ahead: str
):
    workshop.data([(280, True, True), (20, True, False)])
    workshop.publish(workshop.bundle(1, "old"))
    better = workshop.bundle(0)
    if ahead == "who published it":
        monkeypatch.setattr("kdtasks.deploy.store.publish.datetime", _Later)
    workshop.publish(better)
    if ahead == "who rolled back":
        monkeypatch.setattr("kdtasks.deploy.store.promotion.datetime", _Later)
    before = time.time() - 60  # files of one moment may have one date
    for path in (workshop.project / "store").rglob("*"):
        os.utime(path, (before, before))

    AliasMover(workshop.objects, "pixels", "production").rollback()
    decision = assess_candidate(
        better,
        workshop.production(),
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    assert decision.action == "keep"
    assert decision.reasons == (
        "the new model is version 2, which was there already when version 1 was put in "
        "production; `kdtasks promote` does it by hand",
    )


class _Later:
    """A clock that is an hour ahead."""

    @staticmethod
    def now(zone):
        from datetime import datetime

        return datetime.now(zone) + timedelta(hours=1)

    @staticmethod
    def fromisoformat(text):
        from datetime import datetime

        return datetime.fromisoformat(text)


def test_a_version_that_was_published_but_not_promoted_is_judged(workshop: Workshop):
    """A night that was killed between the two leaves one."""
    workshop.data([(280, True, True), (20, True, False)])
    workshop.publish(workshop.bundle(1, "old"))
    better = workshop.bundle(0)
    workshop.publish(better, alias=None)
    decision = assess_candidate(
        better,
        workshop.production(),
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    assert decision.action == "promote"


def test_other_classes_or_shapes_keep_production(workshop: Workshop):
    workshop.data([(300, True, True)])
    workshop.publish(workshop.bundle(1, "old", class_names=("dark", "grey")))
    decision = assess_candidate(
        workshop.bundle(0),
        workshop.production(),
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    assert decision.action == "keep"
    assert decision.reasons == (
        "the classes are not production's (new: bright; gone: grey), so the two cannot be "
        "compared; `kdtasks promote` does it by hand",
    )


def test_bundles_that_cannot_be_compared(workshop: Workshop):
    given = read_manifest(workshop.bundle(0))
    turned = read_manifest(workshop.bundle(0, class_names=("bright", "dark")))
    larger = read_manifest(
        workshop.bundle(0, input={"shape": [1, 4, 1], "dtype": "uint8", "range": [0, 255]})
    )
    assert incomparable(given, given) == ()
    assert "the same names in another order" in incomparable(given, turned)[0]
    assert incomparable(given, larger) == (
        "the new model takes images of 1 × 2 × 1, production of 1 × 4 × 1, so the two cannot be "
        "compared; `kdtasks promote` does it by hand",
    )


def test_a_candidate_for_other_images_is_an_error(workshop: Workshop):
    workshop.data([(300, True, True)])
    bundle = workshop.bundle(0, class_names=("left", "right"))
    with pytest.raises(EvaluationError, match=r"classes left, right; .* classes dark, bright"):
        assess_candidate(
            bundle, None, project=workshop.project, settings=settings_of(workshop.params)
        )


def test_the_decision_as_markdown(workshop: Workshop):
    workshop.data([(280, True, True), (20, True, False)])
    workshop.publish(workshop.bundle(1, "old"))
    decision = assess_candidate(
        workshop.bundle(0),
        workshop.production(),
        project=workshop.project,
        settings=settings_of(workshop.params),
    )
    text = decision_markdown(decision, confidence=0.95).replace("\u00a0", " ")
    assert text.startswith("## pixels@production, version 1: the new model may be promoted\n\n")
    assert "|  | new: variant float32 | production: version 1 |\n| --- | --- | --- |\n" in text
    assert "| test accuracy | 100.0 % (99.1 – 100.0 %) | 93.3 % (90.6 – 95.3 %) |\n" in text
    assert "| file | 1.7 kB | 1.7 kB |\n| mean latency, judged | " in text
    assert "\n| whole-network latency | " in text
    assert "**+6.7 points**, 90 % interval +4.7 to +9.4 points" in text
    assert "20 images only the new model gets right, 0 only production" in text
    assert "p = 1.91e-06" in text
    assert "\n- holds: accuracy differs by +6.7 points" in text


def test_the_store_has_the_production_that_was_judged(workshop: Workshop):
    published = workshop.publish(workshop.bundle(1, "old"))
    production = workshop.production()
    assert production is not None
    assert production.version == fetch_version(workshop.objects, "pixels", 1).version
    assert production.version == published.found.version
    assert (production.folder / "model.tflite").read_bytes() == workshop.models[1]
