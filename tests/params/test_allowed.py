"""The words for kinds and ranges."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from kdtasks.core.settings import Count, Fraction, OpenFraction, Positive, Sizes
from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.networks import architectures
from kdtasks.learn.objectives.hints import HintParams
from kdtasks.learn.schedules import ScheduledPositive
from kdtasks.params.explain import allowed_range, allowed_values, schema_of


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, "true or false"),
        (str, "text"),
        (Count, "whole number, 1 or more"),
        (Fraction, "number, 0 to 1"),
        (OpenFraction, "number, more than 0 and less than 1"),
        (Positive, "number, more than 0"),
        (Positive | None, "null or number, more than 0"),
        (Annotated[int, Field(le=9)], "whole number, at most 9"),
        (Annotated[str, Field(pattern="^a$")], "text, matching ^a$"),
        (Literal["a", "b"], "a, b"),
        (Literal[1, 3] | None, "null, 1, 3"),
        (Sizes, "list, each item whole number, 1 to 8192"),
        (tuple[Count, Count], "list of 2 items, each whole number, 1 or more"),
        (dict[str, str | Count], "mapping from a name to text or whole number, 1 or more"),
        (
            DKD,
            "mapping with name, warm_up, target_weight, non_target_weight, standardize",
        ),
        (ScheduledPositive, "number, more than 0 or mapping with `name`: cosine, gap, linear"),
        (tuple[HintParams, ...], "list, each item mapping with student, teacher, weight"),
        (
            architectures.union(),
            "mapping with `name`: alexnet, cnn, efficientnet_lite0, file, keras_applications/…, "
            "mobilenet, resnet, resnet8, two_branch, unet",
        ),
        (
            architectures.union() | None,
            "null or mapping with `name`: alexnet, cnn, efficientnet_lite0, file, "
            "keras_applications/…, mobilenet, resnet, resnet8, two_branch, unet",
        ),
    ],
)
def test_allowed_values(annotation: Any, expected: str):
    assert allowed_values(schema_of(annotation)) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Fraction, "0 to 1"),
        (str, ""),
        (Positive | None, "more than 0"),
        (ScheduledPositive, "more than 0"),
        (Annotated[Sizes, Field(min_length=1)], "at least 1 item"),
        (Annotated[Sizes, Field(min_length=2)], "at least 2 items"),
    ],
)
def test_allowed_range(annotation: Any, expected: str):
    assert allowed_range(schema_of(annotation)) == expected
