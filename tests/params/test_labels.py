"""What is refused where images have no labels, and what is to be set in its place."""

import copy
from typing import Any

import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.params.load import Params, parse_params

NONE = {"gate": {"max_accuracy_drop": None, "max_agreement_drop": 0.02}}


@pytest.fixture
def content(valid_content: dict[str, Any]) -> dict[str, Any]:
    """Params of images without labels, but for those to test by."""
    content = copy.deepcopy(valid_content)
    source = {"name": "unlabelled_folder", "classes": ["cat", "dog"], "test": "known"}
    content["data"] |= {"source": source, "image_size": [8, 8], "train_labels": None}
    content["teacher"] |= {"source": "import", "input": "unit", "stop_epoch": None}
    content["exits"] |= {"mode": "guarantee", "risk": "consistency"}
    content["select"] |= {"max_accuracy_drop": None, "max_agreement_drop": 0.02}
    return content


def parsed(content: dict[str, Any], changes: dict[str, Any]) -> Params:
    for section, keys in changes.items():
        content[section] |= keys
    return parse_params(content)


def without_test(content: dict[str, Any]) -> dict[str, Any]:
    content["data"]["source"]["test"] = None
    return content


def test_what_is_set_so_is_accepted(content: dict[str, Any]):
    params = parse_params(content)
    assert params.data.source.teacher_labelled == ("train", "validation", "calibration")
    assert not params.labels_seen
    nothing = parsed(without_test(content), NONE)
    assert nothing.data.source.teacher_labelled == ("train", "validation", "calibration", "test")
    assert nothing.gate.max_drop == 0.02
    assert parsed(content, {"exits": {"mode": "drop"}, "student": {"exits": []}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teacher": {"source": "train"}},
            r"teacher\.source is train, and data\.source unlabelled_folder has no labels to train",
        ),
        (
            {"exits": {"mode": "drop"}},
            r"exits\.mode is drop, which limits the accuracy that is lost, and the calibration "
            r"split has no labels, only a teacher's answers; set exits\.mode to guarantee and ",
        ),
        (
            {"exits": {"risk": "accuracy_gap"}},
            r"exits\.risk is accuracy_gap, and the calibration split .* exits\.risk to consistency",
        ),
        (
            {"select": {"max_accuracy_drop": 0.01}},
            r"select\.max_accuracy_drop is 0\.01, and the validation split has no labels, only a "
            r"teacher's answers; set it to null and select\.max_agreement_drop to what may be lost",
        ),
        (
            {"gate": {"max_accuracy_drop": None, "max_agreement_drop": 0.02}},
            r"gate\.max_agreement_drop is 0\.02, and there are labels to know the accuracy by",
        ),
        ({"data": {"train_labels": 30}}, r"data\.train_labels is 30, and .* set it to null$"),
        (
            {"distill": {"arms": ["soft_labelled"]}},
            r"holds soft_labelled, and .* take the arm out$",
        ),
        ({"distill": {"arms": ["all_labels"]}}, r"holds all_labels, and .* take the arm out$"),
        (
            {"distill": {"alpha": {"name": "gap", "start": 0.1, "end": 0.5}}},
            r"distill has a schedule named gap, and students see no label of .* take another one$",
        ),
    ],
)
def test_what_needs_labels_is_refused(
    content: dict[str, Any], changes: dict[str, Any], message: str
):
    with pytest.raises(ParamsError, match=message):
        parsed(content, changes)


@pytest.mark.parametrize("key", ["max_accuracy_drop", "min_accuracy"])
def test_without_labels_to_test_by_the_gate_is_on_agreement(content: dict[str, Any], key: str):
    limits = {"max_agreement_drop": None, "max_accuracy_drop": 0.01} if key[:3] == "max" else {}
    changes = {"gate": NONE["gate"] | limits | {key: 0.01}}
    with pytest.raises(ParamsError, match=rf"gate\.{key} is 0\.01, and the test split has no lab"):
        parsed(without_test(content), changes)


def test_further_folders_are_held_against_labels(content: dict[str, Any]):
    folders = {"evaluate": {"slices": {"folders": {"night": "night"}}}}
    assert parsed(content, folders)
    message = r"folders names labelled images, and the test split has no labels, .*source\.test"
    with pytest.raises(ParamsError, match=message):
        parsed(without_test(content), NONE | folders)


def test_agreement_is_not_limited_where_accuracy_is_known(valid_content: dict[str, Any]):
    content = copy.deepcopy(valid_content)
    message = (
        r"select\.max_agreement_drop is 0\.1, .* select\.max_accuracy_drop to what may be lost"
    )
    with pytest.raises(ParamsError, match=message):
        parsed(content, {"select": {"max_agreement_drop": 0.1}})


@pytest.mark.parametrize(
    "limits", [{"max_accuracy_drop": None}, {"max_agreement_drop": 0.01}], ids=["none", "both"]
)
def test_the_gate_has_one_limit_on_what_is_lost(valid_content: dict[str, Any], limits: Any):
    with pytest.raises(ParamsError, match=r"gate: .*give one of them, and null for the other"):
        parsed(copy.deepcopy(valid_content), {"gate": limits})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"image_size": None}, r"image_size is null; unlabelled_folder needs \[height, width\]"),
        (
            {"source": {"name": "unlabelled_folder", "classes": ["cat", "cat"]}},
            r"source\.classes names a class twice: \['cat', 'cat'\]",
        ),
        ({"source": {"name": "unlabelled_folder", "classes": ["cat"]}}, "classes"),
    ],
)
def test_a_source_without_labels_needs_size_and_classes(
    content: dict[str, Any], data: dict[str, Any], message: str
):
    with pytest.raises(ParamsError, match=message):
        parsed(content, {"data": data})
