"""What compression changes on a slice: by hand, exact, and the same by every way through it."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from kdtasks.data.prepared import PreparedDataset
from kdtasks.evaluate.classification import ClassificationEvaluator
from kdtasks.evaluate.excess import part_p_value, t_p_value
from kdtasks.evaluate.intervals import accuracy_interval
from kdtasks.evaluate.jackknife import pseudo_values
from kdtasks.evaluate.pixel_counts import iou_gain_interval, mean_iou_interval
from kdtasks.evaluate.settings import EvaluateParams, SlicesParams
from kdtasks.evaluate.slices import (
    ClassSliceResults,
    MaskSliceResults,
    compared_slices,
    read_seed_slice_results,
    read_slice_results,
    seed_arrays,
)
from kdtasks.evaluate.views import TeacherNetwork, slice_views
from tests.evaluate.test_mask_score import score as mask_score

SETTINGS = EvaluateParams(
    seed=3, slices=SlicesParams(corruptions=("contrast", "gaussian_noise"), severities=(1, 5))
)
NAMES = ["contrast 1", "contrast 5", "gaussian_noise 1", "gaussian_noise 5"]


def slice_results(plain: list[int], damaged: list[int]) -> ClassSliceResults:
    """A model that gets these of four images right."""
    return slice_results_of([plain, damaged], [[0, 1, 2, 3]] * 2)


def slice_results_of(
    right: Any, units: Any, name: str = "jpeg 3", separate: tuple[str, ...] = ()
) -> ClassSliceResults:
    """Of the plain split and one slice, whether each image is right, and its group."""
    plain, sliced = (
        (np.array(row, bool), np.array(groups)) for row, groups in zip(right, units, strict=True)
    )
    return ClassSliceResults.of({"plain": plain, name: sliced}, separate)


def test_a_change_by_hand() -> None:
    network, variant = (
        slice_results([1, 1, 1, 0], [1, 1, 1, 0]),
        slice_results([1, 1, 0, 1], [0, 0, 0, 0]),
    )
    found = variant.change(network, "jpeg 3", 0.95)
    assert found.change == -0.75  # the network gets three right, the variant none
    # On the plain split one is lost and one won: 0. Image by image −1, −1, 0, −1 remain.
    assert found.excess == -0.75
    assert found.p_value == pytest.approx(2 / 2**3)
    assert found.interval
    assert found.interval[0] < -0.75 < found.interval[1]
    assert variant.change(network, "plain", 0.95).excess == 0


def test_images_of_one_group_are_one_witness() -> None:
    network, variant = (
        slice_results([1, 1, 1, 1], [1, 1, 1, 1]),
        slice_results([1, 1, 1, 1], [0, 0, 0, 0]),
    )
    pairs = [[0, 0, 1, 1]] * 2
    together = slice_results_of(variant.values, pairs)
    found = together.change(slice_results_of(network.values, pairs), "jpeg 3", 0.95)
    assert found.p_value == pytest.approx(2 / 2**2)
    assert variant.change(network, "jpeg 3", 0.95).p_value == pytest.approx(2 / 2**4)


def test_a_part_is_held_against_the_rest_by_hand() -> None:
    # Six images, of which the network gets all right; the variant loses both of the left camera.
    inside = np.array([1, 1, 0, 0, 0, 0], bool)
    units = np.stack([np.arange(6), np.where(inside, np.arange(6), -1)])
    network = slice_results_of(np.ones((2, 6)), units, "camera=left")
    variant = slice_results_of([~inside, ~inside], units, "camera=left")
    assert variant.score("camera=left", 0.95).score == 0
    found = variant.change(network, "camera=left", 0.95)
    assert found.change == -1
    assert found.excess == pytest.approx(-1 + 2 / 6)
    assert found.p_value == pytest.approx(2 / math.comb(6, 2))


def test_scores_have_the_intervals_of_single_models() -> None:
    right = np.array([[1, 1, 0, 1, 0, 1], [1, 0, 0, 0, 0, 0]], bool)
    groups = np.array([0, 0, 1, 2, 3, 3])
    results = slice_results_of(right, [groups] * 2)
    found = results.scores(0.9)["jpeg 3"]
    assert found.score == pytest.approx(1 / 6)
    assert found.interval == accuracy_interval(right[1], groups, 0.9)


def test_masks_have_the_jackknifes_intervals() -> None:
    better, worse = mask_score(*[10, 30] * 6), mask_score(*[25, 31, 44] * 4)
    rows = [model.paired_values for model in (better, worse)]
    one = MaskSliceResults.of({"plain": rows[0], "jpeg 3": rows[0]})
    other = MaskSliceResults.of({"plain": rows[0], "jpeg 3": rows[1]})
    score, change = other.score("jpeg 3", 0.9), other.change(one, "jpeg 3", 0.9)
    assert score.score == pytest.approx(worse.value, abs=1e-6)
    assert score.interval == mean_iou_interval(worse.confusions, 0.9)
    assert change.change == pytest.approx(
        worse.value - better.value, abs=1e-6
    )  # values are rounded
    assert change.interval == iou_gain_interval(
        worse.confusions[None], better.confusions[None], 0.9
    )
    # Nothing changes on the plain split, so the excess is the change.
    assert change.excess == change.change
    assert change.p_value
    assert change.p_value < 0.01


def test_few_masks_tell_nothing() -> None:
    row = mask_score(10, 30, 20).paired_values
    few = MaskSliceResults.of({"plain": row, "jpeg 3": row})
    assert few.score("jpeg 3", 0.9).interval is None
    assert few.change(few, "jpeg 3", 0.9)[1::2] == (None, None)


def test_other_images_are_held_against_the_whole_split() -> None:
    # Of six plain images the variant loses one, of four at night, two of one scene, three.
    units = [[0, 1, 2, 3, 4, 5], [0, 0, 1, 2]]
    network = slice_results_of([[1] * 6, [1] * 4], units, "night", separate=("night",))
    variant = slice_results_of([[0, *[1] * 5], [0, 0, 0, 1]], units, "night", separate=("night",))
    score = variant.score("night", 0.95)
    assert score.score == 1 / 4
    assert score.interval == accuracy_interval(
        np.array([0, 0, 0, 1], bool), np.array(units[1]), 0.95
    )
    found = variant.change(network, "night", 0.95)
    assert found.change == -3 / 4
    assert found.excess == pytest.approx(-3 / 4 + 1 / 6)
    signs = np.array([-1, 0, 0, 0, 0, 0, -1, -1, 0])
    assert found.p_value == part_p_value(signs, np.arange(9) >= 6)
    # Fisher's exact test: 3 losses of 9 groups, 2 of them or more among the 3 of the night.
    assert found.p_value == pytest.approx(2 * (3 * 6 + 1) / math.comb(9, 3))
    assert variant.score("plain", 0.95).score == 5 / 6
    back = read_seed_slice_results(seed_arrays({0: variant}), per_pixel=False)[0]
    assert back.change(network, "night", 0.95) == found


def test_masks_of_other_images_are_held_against_the_whole_split() -> None:
    plain, night = mask_score(*[10, 30] * 6), mask_score(*[20, 31, 44] * 3)
    worse = mask_score(*[25, 40, 60] * 3)
    rows = {name: each.paired_values for name, each in {"plain": plain, "night": night}.items()}
    network = MaskSliceResults.of(rows, separate=("night",))
    variant = MaskSliceResults.of({**rows, "night": worse.paired_values}, separate=("night",))
    assert variant.score("night", 0.9).interval == mean_iou_interval(worse.confusions, 0.9)
    found = variant.change(network, "night", 0.9)
    changes = worse.paired_values[0] - night.paired_values[0]
    assert found.excess == found.change == changes[0]
    assert found.p_value == t_p_value(pseudo_values(changes), [0.0] * 12)
    few = MaskSliceResults.of(
        {**rows, "night": mask_score(10, 30).paired_values}, separate=("night",)
    )
    assert few.change(few, "night", 0.9)[1::2] == (None, None)


def test_seeds_come_back_from_their_arrays_and_are_averaged() -> None:
    seeds = {
        4: slice_results([1, 1, 1, 1], [1, 1, 0, 0]),
        7: slice_results([1, 1, 1, 1], [1, 0, 0, 0]),
    }
    back = read_seed_slice_results(seed_arrays(seeds), per_pixel=False)
    assert list(back) == [4, 7]
    np.testing.assert_array_equal(back[7].values, seeds[7].values)
    found = compared_slices({"teacher": {}, "student": {}, "distill": seeds}, 0.95)
    distilled = found["jpeg 3"].distill
    assert distilled
    assert distilled.score == pytest.approx(3 / 8)
    assert found["jpeg 3"].teacher is None
    assert read_slice_results({}, per_pixel=False) is None
    assert read_seed_slice_results({}, per_pixel=False) == {}
    assert compared_slices({"teacher": {}, "student": {}, "distill": {}}, 0.95) == {}


@pytest.fixture
def evaluator() -> ClassificationEvaluator:
    """Images of two greys, which nothing but strong noise hides."""
    labels = np.arange(40) % 2
    draw = np.random.default_rng(0)
    images = 118 + 20 * labels[:, None, None, None] + draw.integers(-9, 10, (40, 6, 6, 1))
    dataset = SimpleNamespace(
        images=lambda split: images.astype(np.uint8),
        labels=lambda split: labels,
        groups=lambda split: np.arange(40),
        teacher_labelled=(),
        class_names=("dim", "light"),
    )
    return ClassificationEvaluator(cast(PreparedDataset, dataset), SETTINGS)


def by_first_pixel(images: np.ndarray) -> np.ndarray:
    first = np.asarray(images)[:, 0, 0, 0].astype(float)
    return np.stack([127.0 - first, first - 127.0], axis=1)


def test_every_model_sees_the_same_noise(evaluator: ClassificationEvaluator) -> None:
    plain = evaluator.answer(by_first_pixel)
    one, other = (evaluator.slice_results(by_first_pixel, plain) for _ in range(2))
    assert one
    assert other
    assert list(one.names) == ["plain", *NAMES]
    np.testing.assert_array_equal(one.values, other.values)
    scores = {name: found.score for name, found in one.scores(0.95).items()}
    assert scores["plain"] == plain.value
    assert scores["gaussian_noise 5"] < scores["plain"]

    to_inputs, again = (
        [view(lambda images: images)(evaluator.images) for view in slice_views(SETTINGS).values()]
        for _ in range(2)
    )
    np.testing.assert_array_equal(to_inputs, again)
    others = slice_views(SETTINGS.model_copy(update={"seed": 4}))
    same, differs = (
        np.array_equal(others[name](lambda images: images)(evaluator.images), to_inputs[place])
        for place, name in ((1, "contrast 5"), (3, "gaussian_noise 5"))
    )
    assert (same, differs) == (True, False)


def test_a_teacher_s_own_images_are_damaged_at_their_own_size(
    evaluator: ClassificationEvaluator,
) -> None:
    own = np.repeat(np.repeat(evaluator.images, 20, axis=1), 20, axis=2)
    to_inputs = []

    def run(images: np.ndarray) -> np.ndarray:
        to_inputs.append(images)
        return by_first_pixel(images)

    teacher = TeacherNetwork(run, lambda images: own, uses_pixels=True)
    assert evaluator.slice_results(teacher, evaluator.answer(teacher))
    assert [part.shape[1:] for part in to_inputs] == [(120, 120, 1)] * len(to_inputs)
    # 120 pixels are large: at severity 5 a twentieth of the contrast is left.
    assert np.ptp(to_inputs[2], axis=(1, 2)).max() <= 2
    recorded = TeacherNetwork(run, lambda images: own, uses_pixels=False)
    assert evaluator.slice_results(recorded, evaluator.answer(recorded)) is None


def test_parts_need_no_answer_of_their_own(evaluator: ClassificationEvaluator) -> None:
    parts = {"camera=left": np.arange(40) < 10}
    parted = ClassificationEvaluator(evaluator.dataset, EvaluateParams(), parts=parts)
    plain = parted.answer(by_first_pixel)

    def refuse(images: np.ndarray) -> np.ndarray:
        raise AssertionError("asked again")

    recorded = TeacherNetwork(refuse, lambda images: images, uses_pixels=False)
    found = parted.slice_results(recorded, plain)
    assert found
    assert found.names == ("plain", "camera=left")
    score = found.score("camera=left", 0.95).score
    assert score == plain.correct[:10].mean()


def test_a_further_folder_is_answered_by_itself(evaluator: ClassificationEvaluator) -> None:
    other = SimpleNamespace(
        images=lambda split: evaluator.images[:7],
        labels=lambda split: 1 - evaluator.labels[:7],
        groups=lambda split: np.arange(7),
        teacher_labelled=(),
        class_names=("dim", "light"),
    )
    folders = {"night": cast(PreparedDataset, other)}
    wider = replace(evaluator, settings=EvaluateParams(), folders=folders)
    plain = wider.answer(by_first_pixel)
    found = wider.slice_results(by_first_pixel, plain)
    assert found
    assert found.names == ("plain", "night")
    night = 1 - plain.correct[:7].mean()
    assert found.score("night", 0.95).score == pytest.approx(night)
    # A teacher sees its own images of the folder, here of other contrast, and a file sees none.
    teacher = TeacherNetwork(
        by_first_pixel, lambda images: images, True, {"night": lambda images: 255 - images}
    )
    to_inputs = wider.slice_results(teacher, plain)
    assert to_inputs
    assert to_inputs.score("night", 0.95).score == pytest.approx(1 - night)
    assert wider.slice_results(replace(teacher, uses_pixels=False), plain) is None


def test_without_slices_nothing_is_asked(evaluator: ClassificationEvaluator) -> None:
    quiet = ClassificationEvaluator(evaluator.dataset, EvaluateParams())
    plain = quiet.answer(by_first_pixel)

    def refuse(images: np.ndarray) -> np.ndarray:
        raise AssertionError("asked again")

    assert quiet.slice_results(refuse, plain) is None


@pytest.mark.parametrize(
    ("given_params", "message"),
    [
        ({"corruptions": ["fog"]}, "gaussian_noise"),
        ({"corruptions": ["jpeg", "jpeg"]}, "holds a value twice"),
        ({"severities": [0]}, "greater than or equal to 1"),
        ({"severities": [6]}, "less than or equal to 5"),
        ({"severities": []}, "at least 1 item"),
        ({"folders": {"plain": "night"}}, "got the name 'plain'; letters"),
        ({"folders": {"../night": "night"}}, "got the name '../night'; letters"),
    ],
)
def test_what_cannot_be_asked_for(given_params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SlicesParams.model_validate(given_params)
