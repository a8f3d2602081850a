"""Masks go through the gate as classes do, on source images in place of rows."""

from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import EvaluationError
from kdtasks.deploy.gate.decision import GateDecision
from kdtasks.deploy.gate.describe import decision_lines, decision_markdown
from kdtasks.deploy.gate.gate import GateSettings, assess_candidate
from kdtasks.params import Params
from tests.deploy.gate.conftest import Workshop
from tests.tools.mask_datasets import write_mask_dataset
from tests.tools.segmentation_bundles import write_colour_bundle


class Masks:
    """A project of masks: the right model is 0, the one that sees blue in the dark 1."""

    def __init__(self, workshop: Workshop, models: tuple[bytes, bytes]) -> None:
        self._workshop, self._models = workshop, models

    def data(self, images: int) -> None:
        """Write test images of all three colours in turn."""
        folder = self._workshop.project / "data" / "prepared"
        write_mask_dataset(folder, self._workshop.params, [k % 3 for k in range(images)])

    def bundle(self, model: int, folder: str = "candidate") -> Path:
        return write_colour_bundle(
            self._workshop.project / folder, self._models[model], name="pixels"
        )

    def judge(self, candidate: int, production: int | None, **limits: Any) -> GateDecision:
        workshop = self._workshop
        content = workshop.params.model_dump()
        content["gate"] |= limits
        params = Params.model_validate(content)
        if production is not None:
            workshop.publish(self.bundle(production, "old"))
        return assess_candidate(
            self.bundle(candidate),
            workshop.production(),
            project=workshop.project,
            settings=GateSettings(
                params.gate, params.compress.parity, params.evaluate, params.benchmark, params.data
            ),
        )


@pytest.fixture
def masks(workshop: Workshop, colour_models: tuple[bytes, bytes]) -> Masks:
    return Masks(workshop, colour_models)


def test_better_masks_are_promoted(masks: Masks):
    masks.data(40)
    decision = masks.judge(0, 1)
    assert decision.action == "promote"
    assert decision.comparison is not None
    assert decision.comparison.rows == 40
    assert decision.comparison.lower > 0
    assert decision.reasons[0].startswith("mean IoU differs by +")
    assert "on the same 40 source images" in decision.reasons[0]
    assert decision.reasons[1] == (
        "40 source images are enough; gate.min_source_images asks for 30"
    )
    text = decision_markdown(decision, confidence=0.95).replace("\u00a0", " ")
    assert "| test mean IoU | 100.0 % (93.7 – 100.0 %) |" in text
    assert "on the same 40 source images: **+" in text
    assert "jackknife over whole images, each with both masks" in text


def test_worse_masks_are_not(masks: Masks):
    masks.data(40)
    decision = masks.judge(1, 0)
    assert decision.action == "keep"
    assert decision_lines(decision)[0] == "pixels@production, version 1: unchanged"
    assert decision.reasons[0].startswith("mean IoU differs by −")


def test_too_few_source_images_keep_production_whatever_they_say(masks: Masks):
    masks.data(29)
    decision = masks.judge(0, 1)
    assert decision.action == "keep"
    assert decision.reasons == (
        "29 source images are too few to tell; gate.min_source_images asks for 30",
    )
    assert masks.judge(0, 1, min_source_images=29).action == "promote"


def test_the_first_masks_are_held_to_absolute_limits_alone(masks: Masks):
    masks.data(12)
    assert masks.judge(0, None).action == "promote"
    # a bound from so few is worth nothing
    held = masks.judge(0, None, min_accuracy=0.5)
    assert held.action == "keep"
    assert held.reasons == (
        "12 source images are too few to tell; gate.min_source_images asks for 30",
    )
    broken = masks.judge(1, None, min_accuracy=0.9, min_source_images=12)
    assert broken.reasons[0].startswith("mean IoU is ")


def test_other_tasks_are_not_compared(masks: Masks, workshop: Workshop):
    workshop.data([(300, True, True)])
    with pytest.raises(EvaluationError, match=r"is for segmentation of .* for classification of"):
        masks.judge(0, None)
    workshop.publish(masks.bundle(0))
    decision = assess_candidate(
        workshop.bundle(0, "classes"),
        workshop.production(),
        project=workshop.project,
        settings=GateSettings(
            workshop.params.gate,
            workshop.params.compress.parity,
            workshop.params.evaluate,
            workshop.params.benchmark,
            workshop.params.data,
        ),
    )
    assert decision.action == "keep"
    assert decision.reasons[0].startswith(
        "the new model is for classification, production for segmentation"
    )
