"""Every kind of mistake is one line: the key, what was given, what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from kdtasks.core.errors import ParamsError
from kdtasks.params import Params, parse_params
from kdtasks.params.explain import shown


def message_of(content: Any) -> str:
    with pytest.raises(ParamsError) as caught:
        parse_params(content)
    return str(caught.value).removeprefix("params: ")


CASES = [
    # ranges
    ("distill.alpha", 1.5, "distill.alpha: got 1.5; allowed: 0 to 1"),
    ("distill.alpha", -0.1, "distill.alpha: got -0.1; allowed: 0 to 1"),
    ("distill.temperature", 0, "distill.temperature: got 0; allowed: more than 0"),
    (
        "augmentation.transforms",
        ["shift", {"name": "zoom", "fraction": 1.0}],
        "augmentation.transforms.1.fraction: got 1.0; allowed: 0 or more and less than 1",
    ),
    (
        "augmentation.transforms",
        ["zoom", "zoom"],
        "augmentation: transforms lists one twice: zoom, ",
    ),
    ("data.max_images", 0, "data.max_images: got 0; allowed: 1 or more"),
    ("seeds.1", -1, "seeds.1: got -1; allowed: 0 or more"),
    ("exits.grid", 2000, "exits.grid: got 2000; allowed: 2 to 1001"),
    ("seeds.1", 2**32, "seeds.1: got a number above 4,294,967,295, the largest that is allowed"),
    ("runtime.threads", 2000, "runtime.threads: got 2000; allowed: 1 to 1024"),
    ("data.image_size", [1, 9999], "data.image_size.1: got 9999; allowed: 1 to 8192"),
    ("distill.temperature", float("inf"), "distill.temperature: got Infinity; allowed: a finite"),
    # schedules in the place of a number
    (
        "distill.alpha",
        {"name": "linear", "start": 1.5, "end": 0.1},
        "distill.alpha: start is 1.5; allowed: 0 to 1",
    ),
    (
        "distill.temperature",
        {"name": "cosine", "start": 4.0, "end": 0.0},
        "distill.temperature: end is 0; allowed: more than 0",
    ),
    (
        "distill.alpha",
        {"name": "cosin", "start": 1.0, "end": 0.1},
        'distill.alpha.name: got "cosin"; allowed: cosine, gap, linear; did you mean \'cos',
    ),
    (
        "distill.alpha",
        {"name": "gap", "start": 1.0},
        "distill.alpha.end: missing; allowed: number",
    ),
    (
        "distill.temperature",
        {"name": "gap", "from": 1.0, "start": 1.0, "end": 2.0},
        "distill.temperature.from: unknown key, got 1.0; allowed in distill.temperature: name, sta",
    ),
    ("distill.temperature", None, "allowed: number, more than 0 or mapping with `name`: cosine"),
    (
        "distill.loss",
        "dkdd",
        'distill.loss.name: got "dkdd"; allowed: channelwise_kd, dist, dkd, kd; did you mean \'dkd',
    ),
    (
        "distill.loss",
        {"name": "kd", "non_target_weight": 8.0},
        "distill.loss.non_target_weight: unknown key, got 8.0; allowed in distill.loss: name, war",
    ),
    ("distill.loss.warm_up", 2, "distill.loss.warm_up: got 2; allowed: 0 to 1"),
    (
        "distill.hints",
        [{"student": "block_1", "teacher": "block_1", "weight": 0}],
        "distill.hints.0.weight: got 0; allowed: more than 0",
    ),
    ("distill.hints", {}, "distill.hints: got {}; allowed: list, each item mapping with student, "),
    # lengths
    ("seeds", [], "seeds: got []; allowed: at least 1 item"),
    ("student.model.filters", [], "student.model.filters: got []; allowed: at least 1 item"),
    (
        "data.image_size",
        [32, 32, 3],
        "data.image_size: got [32, 32, 3]; allowed: null or list of 2 items, each whole number, 1",
    ),
    ("data.image_size", [32], "data.image_size: got [32]; allowed: null or list of 2 items"),
    # kinds
    (
        "distill.alpha",
        "much",
        'distill.alpha: got "much"; allowed: number, 0 to 1 or mapping with `name`: cosine, gap',
    ),
    ("distill.epochs", 1.5, "distill.epochs: got 1.5; allowed: whole number, 1 or more"),
    ("distill.epochs", True, "distill.epochs: got true; allowed: whole number, 1 or more"),
    ("recipe", 3, "recipe: got 3; allowed: text"),
    ("recipe", None, "recipe: got null; allowed: text"),
    (
        "data.stable_split",
        "yes",
        'data.stable_split: got "yes"; allowed: true or false',
    ),
    ("seeds", 3, "seeds: got 3; allowed: list of at least 1 item, each whole number, 0 or more"),
    ("student.exits", "block_1", 'student.exits: got "block_1"; allowed: list, each item text'),
    ("distill", 3, "distill: got 3; allowed: mapping with alpha, temperature, loss, exits, "),
    ("distill", None, "distill: got null; allowed: mapping with alpha, temperature, loss"),
    ("export.name", "My Model", 'export.name: got "My Model"; allowed: matching ^[a-z0-9]'),
    # choices
    ("data.source", "cifar-10", 'data.source.name: got "cifar-10"; allowed: cifar10, digits, '),
    ("data.channels", 2, "data.channels: got 2; allowed: null, 1, 3"),
    ("exits.mode", "drip", "allowed: drop, cost, guarantee; did you mean 'drop'?"),
    # unknown and missing keys
    (
        "distill.temprature",
        4.0,
        "distill.temprature: unknown key, got 4.0; allowed in distill: alpha, temperature, loss, "
        "exits, hints, learning_rate, epochs, arms; did you mean 'temperature'?",
    ),
    ("teachr", {}, "teachr: unknown key, got {}; allowed in the top level: recipe, seeds, "),
    (
        "student.model.kernelsize",
        3,
        "student.model.kernelsize: unknown key, got 3; allowed in student.model: name, filters, ",
    ),
    # networks, told apart by their name
    (
        "teacher.model",
        3,
        "teacher.model: got 3; allowed: null or mapping with `name`: alexnet, cnn",
    ),
    ("teacher.model", "cnn", "teacher.model.filters: missing; allowed: list of at least 1 item"),
    ("student.model", {"filters": [1]}, "student.model.name: missing; allowed: alexnet, cnn, "),
    (
        "student.model.name",
        "alexnt",
        'student.model.name: got "alexnt"; allowed: alexnet, cnn, efficientnet_lite0, file, '
        "keras_applications/…, mobilenet, resnet, resnet8, two_branch, unet; did you mean 'alexn",
    ),
    (
        "student.model.name",
        "keras_applications/MobileNetV3small",
        "two_branch, unet; did you mean 'keras_applications/MobileNetV3Small'?",
    ),
    (
        "student.model",
        {"name": "keras_applications/ResNet50", "width": 0.5},
        "student.model: width is 0.5, which ResNet50 does not have; set it to 1.0, or choose one",
    ),
]


@pytest.mark.parametrize(("key", "value", "expected"), CASES)
def test_message(changed: Callable[..., Any], key: str, value: Any, expected: str):
    if key == "seeds.1":
        content = changed("seeds", [0, value])
    else:
        content = changed(key, value)
    message = message_of(content)
    assert expected in message
    assert " | " not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("recipe", "recipe: missing; allowed: text"),
        ("distill.alpha", None),
        (
            "student.model.filters",
            "student.model.filters: missing; allowed: list of at least 1 item",
        ),
        ("data", "data: missing; allowed: mapping with source, path"),
        ("student.model.name", "student.model.name: missing; allowed: alexnet, cnn"),
    ],
)
def test_missing_key(changed: Callable[..., Any], key: str, expected: str | None):
    if expected is None:  # it has a default
        parse_params(changed(key))
        return
    assert message_of(changed(key)).startswith(expected)


def test_a_key_that_is_not_text(changed: Callable[..., Any], valid_content: dict[str, Any]):
    assert "7: got a key that is not text" in message_of({**valid_content, 7: 1})


def test_several_mistakes_are_joined(changed: Callable[..., Any]):
    content = changed("distill", {"alpha": 2, "epochs": 0})
    assert message_of(content) == (
        "distill.alpha: got 2; allowed: 0 to 1 | distill.epochs: got 0; allowed: 1 or more"
    )


def test_a_misspelt_required_key_is_named_twice_unknown_and_missing(changed: Callable[..., Any]):
    content = changed("recipe")
    content["recipee"] = "x"
    message = message_of(content)
    assert "recipe: missing" in message
    assert "recipee: unknown key" in message
    assert "did you mean 'recipe'?" in message


def test_refused_items_do_not_make_a_list_too_short(changed: Callable[..., Any]):
    message = message_of(changed("seeds", ["a", "b"]))
    assert message == (
        'seeds.0: got "a"; allowed: whole number, 0 or more | '
        'seeds.1: got "b"; allowed: whole number, 0 or more'
    )


def test_one_mistake_in_a_union_of_kinds_is_said_once(changed: Callable[..., Any]):
    classes = {"road": "#3C1098", "water": 400}
    source = {"name": "segmentation_folder", "classes": classes, "ignore": [True]}
    message = message_of(changed("data.source", source))
    assert message == (
        "data.source.classes.water: got 400; allowed: text or whole number, 0 to 255 | "
        "data.source.ignore.0: got true; allowed: text or whole number, 0 to 255"
    )


def test_a_wrong_mapping_of_classes(changed: Callable[..., Any]):
    source = {"name": "segmentation_folder", "classes": ["road"]}
    message = message_of(changed("data.source", source))
    assert message.startswith(
        'data.source.classes: got ["road"]; allowed: mapping from a name to text or whole'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        ("a\nb", '"a\\nb"'),
        ("ü", '"ü"'),
        ({"a": [1, True]}, '{"a": [1, true]}'),
        ("x" * 100, '"' + "x" * 58 + "…"),
    ],
)
def test_shown_is_one_short_line(value: Any, expected: str):
    assert shown(value) == expected


def test_every_field_refuses_an_object_without_breaking_the_message(
    changed: Callable[..., Any], valid_content: dict[str, Any]
):
    """Whatever kind a key wants, the line for a wrong one starts with the key."""
    for section, value in valid_content.items():
        keys = [f"{section}.{key}" for key in value] if isinstance(value, dict) else [section]
        for key in keys:
            message = message_of(changed(key, object()))
            assert message.startswith(f"{key}: got "), message
            assert "; allowed: " in message


def test_of_many_mistakes_the_first_ten_are_told(valid_content: dict[str, Any]):
    message = message_of({**valid_content, **{f"key_{number}": 0 for number in range(5000)}})
    assert message.count("unknown key, got 0") == 10
    assert message.endswith(" | and 4,990 more")


def test_the_model_itself_still_raises_pydantic_errors():
    with pytest.raises(ValidationError):
        Params.model_validate({})
