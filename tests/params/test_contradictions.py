"""Params whose values are allowed one by one and contradict one another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.learn.augmentations import augmentations
from kdtasks.params import load_params, parse_params
from tests.tools.aerial_photos import mask_params

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds", [1, 2, 1], r"params: seeds lists a value twice: \[1, 2, 1\]"),
        ("compress.variants", ["int8", "int8"], "compress.variants lists a value twice"),
        ("compress.variants", ["int9"], "'int9'.*must end in one of: .*did you mean 'int8'"),
        (
            "student.model",
            {"name": "unet", "filters": [4, 8]},
            "for classification choose one of alexnet, cnn, ",
        ),
        ("data.split.train", 0.5, "data.split: the four fractions add up to 0.9, they must add up"),
        ("teacher.model", None, "teacher: model is null"),
        (
            "teacher.stop_epoch",
            99,
            "teacher: stop_epoch is 99, epochs 16; stop at the last",
        ),
        (
            "distill.loss",
            "channelwise_kd",
            r"distill\.loss is channelwise_kd, data\.source mnist",
        ),
        ("select.max_accuracy_drop", None, "select: objective size needs max_accuracy_drop"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    changed: Callable[..., Any], key: str, value: Any, message: str
):
    with pytest.raises(ParamsError, match=message):
        parse_params(changed(key, value))


def test_mixup_of_masks_is_refused(changed: Callable[..., Any]):
    content = mask_params(changed("recipe", "masks"), Path("photos"))
    content["augmentation"]["transforms"] = ["mixup"]
    with pytest.raises(ParamsError, match=r"transforms holds mixup, data.source is segm.+ cutmix"):
        parse_params(content)
    content["augmentation"]["transforms"] = ["cutmix"]
    assert [item.name for item in parse_params(content).augmentation.transforms] == ["cutmix"]


def test_an_exit_that_the_network_does_not_have(changed: Callable[..., Any]):
    with pytest.raises(ParamsError, match="no block 'block_9'; its blocks: block_1, block_2, blo"):
        parse_params(changed("student.exits", ["block_9"]))


HINT = {"student": "block_1", "teacher": "block_2", "weight": 0.5}


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        (
            [{**HINT, "student": "block_7"}],
            r"distill\.hints: cnn has no block 'block_7'; its blocks: block_1, block_2, block_3",
        ),
        ([HINT, {**HINT, "weight": 1.0}], r"distill\.hints lists a value twice"),
    ],
)
def test_hints_between_layers_that_are_not_there_or_named_twice(
    changed: Callable[..., Any], hints: list[dict[str, Any]], message: str
):
    content = changed("distill.hints", hints)
    content["targets"]["features"] = ["block_2"]
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_hints_from_layers_that_the_targets_do_not_give_are_refused(changed: Callable[..., Any]):
    content = changed("distill.hints", [HINT])
    content["targets"]["features"] = ["block_1"]
    message = r"look at 'block_2' of the teacher, targets\.features is \['block_1'\]; add it there"
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_features_of_several_teachers_are_refused(changed: Callable[..., Any]):
    content = changed("targets.features", ["block_2"])
    content["teacher"]["ensemble"] = 3
    message = r"teacher\.ensemble is 3; targets\.features need a single"
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_hints_go_with_a_teacher_online(changed: Callable[..., Any]):
    content = changed("distill.hints", [HINT])
    content["targets"] |= {"mode": "online", "features": ["block_2"]}
    params = parse_params(content)
    assert params.distill.hints[0].student == "block_1"
    assert parse_params(params.model_dump(mode="json")) == params


@pytest.mark.parametrize("key", ["stop_epoch", "ensemble"])
def test_an_imported_teacher_is_neither_stopped_nor_averaged(changed: Callable[..., Any], key: str):
    content = changed("teacher.source", "import")
    content["teacher"][key] = 2
    with pytest.raises(ParamsError, match="stop_epoch and ensemble are for teachers that are trai"):
        parse_params(content)


@pytest.mark.parametrize(
    ("section", "keys", "message"),
    [
        ("teacher", {"ensemble": 2}, "with source logits set stop_epoch: null and ensemble: 1"),
        ("targets", {"mode": "online"}, r"needs targets\.mode cached .* got online and \[\]"),
        ("targets", {"features": ["block_1"]}, r"got cached and \['block_1'\]"),
        (
            "data",
            {"source": {"name": "segmentation_folder", "classes": {"a": 0, "b": 1}}},
            "data.source segmentation_folder; files hold one row an image",
        ),
    ],
)
def test_a_file_of_answers_runs_on_nothing(
    changed: Callable[..., Any], section: str, keys: dict[str, Any], message: str
):
    content = changed("teacher.source", "logits")
    content["teacher"]["model"] = None
    assert parse_params(content).teacher.source == "logits"
    content[section] |= keys
    if section == "data":
        content["student"] |= {"model": {"name": "unet", "filters": [4, 8]}, "exits": []}
        content["data"]["image_size"] = [128, 128]
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_answers_to_images_as_they_are_hold_for_views_of_the_same_class_alone(
    changed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    content = changed("augmentation.transforms", ["shift", "rotation"])
    content["teacher"]["source"] = "logits"
    parse_params(content)
    monkeypatch.setattr(augmentations["shift"], "keeps_answer", False)
    message = r"augmentation\.transforms holds shift, after which they do not hold: take it out"
    with pytest.raises(ParamsError, match=message):
        parse_params(content)
    content["teacher"]["source"] = "import"
    parse_params(content)


def test_a_teacher_for_another_task(changed: Callable[..., Any]):
    unet = {"name": "unet", "filters": [4, 8]}
    with pytest.raises(ParamsError, match=r"teacher\.model is unet, data\.source mnist-5k"):
        parse_params(changed("teacher.model", unet))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "student.exits",
            ["up_1"],
            r"student\.exits is \['up_1'\]; masks are answered by the whole",
        ),
        ("train.loss.terms", [], r"train\.loss\.terms: got \[\]; allowed: at least 1 item"),
        (
            "train.loss.terms",
            ["dice", {"name": "focal", "gamma": 0.5}],
            r"train\.loss\.terms\.1\.gamma: got 0\.5; allowed: 1 or more",
        ),
        ("train.class_balance", "even", r"train\.class_balance: got \"even\""),
        ("targets.top_k", 0, r"targets\.top_k: got 0"),
    ],
)
def test_what_masks_cannot_have_is_refused(key: str, value: Any, message: str):
    content: Any = load_params(ROOT / "recipes" / "unet-aerial.yaml").model_dump()
    *outer, last = key.split(".")
    section = content
    for part in outer:
        section = section[part]
    section[last] = value
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_a_head_without_its_exit_is_refused(changed: Callable[..., dict[str, Any]]):
    content = changed("student.heads", {"stem": {"grid": 2}})
    message = r"student\.heads describes an exit after 'stem', student\.exits is .*; add it there"
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_blocks_and_strides_must_be_as_many(changed: Callable[..., dict[str, Any]]):
    network = {"name": "resnet", "stem": 4, "filters": [4, 8], "strides": [1]}
    content = changed("student.model", network)
    message = r"student\.model.*: got 2 filters and 1 strides; give one of each for every block"
    with pytest.raises(ParamsError, match=message):
        parse_params(content)


def test_an_online_teacher_stores_no_classes(changed: Callable[..., dict[str, Any]]):
    content = changed("targets.mode", "online")
    content["targets"]["top_k"] = 2
    with pytest.raises(ParamsError, match="top_k is 2, mode online, which stores no answers"):
        parse_params(content)
