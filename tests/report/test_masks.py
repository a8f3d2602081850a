"""Patches beside their masks, and the colours of the classes."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.params import load_params
from kdtasks.report.curves import classes_figure, models_figure
from kdtasks.report.examples import legend, mask_patches
from tests.tools.aerial_photos import CLASSES, mask_params

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
COLOURS = ["#0000FF", "#00FF00"]
LABELS = np.array([[[0, 0], [1, 255]]], np.uint8)
SHIPPED = np.array([[[0, 1], [1, 0]]], np.uint8)
EXAMPLES = {
    "rows": np.array([3]),
    "images": np.full((1, 2, 2, 3), 100, np.uint8),
    "labels": LABELS,
    "predicted": SHIPPED,
}
COMPARED = {"rows": np.array([3]), "teacher": LABELS % 2, "student": SHIPPED, "distill": SHIPPED}


@pytest.fixture
def content() -> dict[str, Any]:
    return mask_params(load_params(RECIPE).model_dump(), Path("photos"))


def pixels(address: str | None) -> list[Any]:
    assert address is not None
    data = base64.b64decode(address.partition("base64,")[2])
    found: list[Any] = np.asarray(Image.open(BytesIO(data)).convert("RGB")).tolist()
    return found


def test_masks_are_in_the_colours_of_the_classes() -> None:
    (patch,) = mask_patches(EXAMPLES, COMPARED, COLOURS, 255)
    blue, green, grey = [0, 0, 255], [0, 255, 0], [128, 128, 128]
    assert pixels(patch.mask) == [[blue, blue], [green, grey]]
    assert pixels(patch.shipped) == pixels(patch.student) == [[blue, green], [green, blue]]
    assert pixels(patch.teacher) == [[blue, blue], [green, green]]
    assert pixels(patch.image) == [[[100] * 3] * 2] * 2


def test_errors_are_red_but_not_where_nothing_is_labelled() -> None:
    (patch,) = mask_patches(EXAMPLES, COMPARED, COLOURS, 255)
    faded = [200, 200, 200]
    assert pixels(patch.errors) == [[faded, [220, 30, 30]], [faded, faded]]
    assert patch.right == pytest.approx(2 / 3)
    (all_count,) = mask_patches(EXAMPLES, COMPARED, COLOURS, None)
    assert all_count.right == pytest.approx(2 / 4)


def test_answers_to_other_patches_are_not_shown() -> None:
    (patch,) = mask_patches(EXAMPLES, {**COMPARED, "rows": np.array([4])}, COLOURS, 255)
    assert (patch.teacher, patch.student, patch.distilled) == (None, None, None)
    assert mask_patches(EXAMPLES, {}, COLOURS, 255)[0].teacher is None
    assert mask_patches({}, COMPARED, COLOURS, 255) == []


def test_colours_are_the_dataset_s_or_easy_to_tell_apart() -> None:
    names = tuple(CLASSES)
    assert legend(names, CLASSES) == CLASSES
    found = legend(("a", "b"), {"a": 0, "b": 1})
    assert list(found) == ["a", "b"]
    assert len({*found.values()}) == 2
    assert all(len(colour) == 7 and colour[0] == "#" for colour in found.values())


def test_curves_are_drawn_for_models_and_classes() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (2, 2, 200))
    examples, compared = {"probabilities": counts}, {"probabilities_teacher": counts}
    models = models_figure(compared, examples, "int8")
    assert ">teacher<" in models
    assert ">int8<" in models
    unlabelled = counts.copy()
    unlabelled[1, 1] = 0
    classes = classes_figure(
        {"probabilities": unlabelled}, dict(zip(("roof", "water"), COLOURS, strict=True)), "int8"
    )
    assert ">roof<" in classes
    assert ">water<" not in classes
