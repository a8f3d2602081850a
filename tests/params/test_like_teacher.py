"""A student of the teacher's shape: the network it means, and where it may be said so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.learn.networks import architectures
from kdtasks.params import load_params, parse_params
from kdtasks.params.like_teacher import like_teacher


@pytest.fixture
def content(changed: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Give a function that makes params of a teacher's network and a student like it."""

    def make(teacher: Any, width: Any = 0.25) -> dict[str, Any]:
        found: dict[str, Any] = changed("student.model", {"name": "like_teacher", "width": width})
        found["teacher"]["model"] = teacher
        return found

    return make


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (
            {"name": "cnn", "filters": [16, 30, 2], "dense": [64]},
            {"filters": [4, 8, 1], "dense": [16]},
        ),
        ("alexnet", {"width": 0.25}),
        ({"name": "resnet8", "width": 2.0}, {"width": 0.5}),
        (
            {"name": "mobilenet", "stem": 16, "filters": [24, 48], "strides": [2, 2], "top": 32},
            {"stem": 4, "filters": [6, 12], "top": 8, "strides": [2, 2], "expansion": 4},
        ),
        ({"name": "unet", "filters": [16, 32]}, {"filters": [4, 8]}),
        ("keras_applications/MobileNetV2", {"width": 0.25}),
    ],
)
def test_filters_and_units_are_multiplied(teacher, expected, content):
    model = like_teacher(content(teacher))
    assert model is not None
    assert expected.items() <= model.items()
    assert model["name"] == (teacher if isinstance(teacher, str) else teacher["name"])


def test_every_network_of_the_zoo_says_what_is_scaled():
    for architecture in architectures:
        assert architecture.scalable
        assert set(architecture.scalable) <= set(architecture.model_fields)


@pytest.mark.parametrize(
    ("teacher", "width", "message"),
    [
        ("keras_applications/ResNet50", 0.25, "width is 0.25, which ResNet50 does not have"),
        ("alexnet", None, r'got \{"name": "like_teacher", "width": null\}; like_teacher takes one'),
        ("alexnet", 0, "a number more than 0, which multiplies the teacher's filters and units"),
    ],
)
def test_what_cannot_be_scaled_is_refused_in_a_line(teacher, width, message, content):
    with pytest.raises(ParamsError, match=message):
        parse_params(content(teacher, width))


def test_an_imported_teacher_is_copied_and_named(content):
    params = content(None)
    params["teacher"]["source"] = "import"
    message = r"copy an imported Functional one into student\.start .*teacher\.keras, width: 0\.25"
    with pytest.raises(ParamsError, match=message):
        parse_params(params)


def test_params_yaml_says_the_network_and_a_recipe_may_not_have_to(content, tmp_path: Path):
    from ruamel.yaml import YAML

    params = content({"name": "cnn", "filters": [16, 32]})
    params["student"]["exits"] = []
    for name in ("params.yaml", "own.yaml"):
        with (tmp_path / name).open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(params, file)
    message = r'so say the network that like_teacher means: \{"name": "cnn", "filters": \[4, 8\]'
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / "params.yaml")
    assert load_params(tmp_path / "own.yaml").student.model.model_dump()["filters"] == (4, 8)
