"""Hints bring two layers to one shape, with projections that are trained."""

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.core.errors import TrainingError
from kdtasks.learn.objectives.hints import HintMatcher, HintParams, student_blocks, teacher_layers

tensor = tf.constant


def hint(student: str = "block_1", teacher: str = "block_2") -> HintParams:
    return HintParams(student=student, teacher=teacher, weight=1.0)


def matcher_of(student: tuple[int, ...], teacher: tuple[int, ...], *, seed: int = 0) -> HintMatcher:
    return HintMatcher([hint()], student_shapes=[student], teacher_shapes=[teacher], seed=seed)


def test_equal_shapes_stay_as_they_are():
    matcher = matcher_of((2, 3, 4), (2, 3, 4))
    student, teacher = np.random.default_rng(0).normal(size=(2, 5, 2, 3, 4)).astype(np.float32)
    assert matcher.variables == []
    ((found, wanted),) = matcher([tensor(student)], [tensor(teacher)])
    np.testing.assert_array_equal(found, student)
    np.testing.assert_array_equal(wanted, teacher)


def test_other_channels_are_projected_by_hand():
    # Two channels to three by a kernel and a bias: (1, 2) · [[1, 0, −1], [0, 3, 1]] + (0, 0, 5) =
    # (1, 6, −1 + 2 + 5).
    matcher = matcher_of((1, 1, 2), (1, 1, 3))
    kernel, bias = matcher.variables
    assert (kernel.shape, bias.shape) == ((2, 3), (3,))
    assert not bias.numpy().any()
    kernel.assign([[1, 0, -1], [0, 3, 1]])
    bias.assign([0, 0, 5])
    teacher = np.zeros((1, 1, 1, 3), np.float32)
    ((found, _),) = matcher([tensor(np.array([[[[1, 2]]]], np.float32))], [tensor(teacher)])
    np.testing.assert_allclose(found, [[[[1, 6, 6]]]])


@pytest.mark.parametrize("student_is_larger", [True, False])
def test_the_larger_grid_is_averaged_over_blocks_by_hand(student_is_larger: bool):
    # 2×4 pixels 0…7 to 1×2: blocks (0, 1, 4, 5) and (2, 3, 6, 7), means 2.5 and 4.5.
    large = np.arange(8, dtype=np.float32).reshape(1, 2, 4, 1)
    small = np.zeros((1, 1, 2, 1), np.float32)
    pair = (large, small) if student_is_larger else (small, large)
    matcher = matcher_of(*(array.shape[1:] for array in pair))
    (found,) = matcher([tensor(pair[0])], [tensor(pair[1])])
    averaged = found[0 if student_is_larger else 1]
    np.testing.assert_allclose(averaged, [[[[2.5], [4.5]]]])


def test_a_vector_is_compared_with_the_mean_over_the_grid():
    features = np.random.default_rng(0).normal(size=(3, 2, 2, 4)).astype(np.float32)
    matcher = matcher_of((2, 2, 4), (4,))
    ((found, wanted),) = matcher([tensor(features)], [tensor(np.ones((3, 4), np.float32))])
    np.testing.assert_allclose(found[:, 0, 0], features.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    assert wanted.shape == found.shape == (3, 1, 1, 4)


@pytest.mark.parametrize(("student", "teacher"), [((4, 4, 8), (3, 4, 8)), ((6, 6, 2), (4, 4, 2))])
def test_grids_that_do_not_divide_are_refused(student: tuple[int, ...], teacher: tuple[int, ...]):
    one, other = ("×".join(map(str, shape)) for shape in (student, teacher))
    message = f"block block_1 of the student is {one}, layer block_2 of the teacher {other}; "
    with pytest.raises(TrainingError, match=message):
        matcher_of(student, teacher)


def test_targets_without_the_features_are_refused():
    with pytest.raises(TrainingError, match=r"look at 1 layers of the teacher \(block_2\), the"):
        HintMatcher([hint()], student_shapes=[(1, 1, 2)], teacher_shapes=[], seed=0)


def test_features_that_no_hint_looks_at_are_left_alone():
    matcher = HintMatcher([], student_shapes=[], teacher_shapes=[(4, 4, 8)], seed=0)
    assert matcher([], [tensor(np.ones((1, 4, 4, 8), np.float32))]) == []


def test_layers_are_named_once_and_found_again_by_every_hint():
    hints = [hint("a", "x"), hint("b", "x"), hint("a", "y")]
    assert student_blocks(hints) == ("a", "b")
    assert teacher_layers(hints) == ("x", "y")
    matcher = HintMatcher(hints, student_shapes=[(1,), (1,)], teacher_shapes=[(1,), (1,)], seed=0)
    features = {name: np.array([[value]], np.float32) for value, name in enumerate("abxy")}
    pairs = matcher(
        [tensor(features[name]) for name in "ab"],
        [tensor(features[name]) for name in "xy"],
    )
    assert [[float(array[0, 0, 0, 0]) for array in pair] for pair in pairs] == [
        [0, 2],
        [1, 2],
        [0, 3],
    ]


def test_projections_start_from_the_seed_and_every_hint_has_its_own():
    def kernels(seed: int) -> list[np.ndarray]:
        hints = [hint("a", "x"), hint("b", "x")]
        matcher = HintMatcher(
            hints, student_shapes=[(4, 4, 8)] * 2, teacher_shapes=[(4, 4, 16)], seed=seed
        )
        return [variable.numpy() for variable in matcher.variables[::2]]

    first, again, other = kernels(1), kernels(1), kernels(2)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
    # Glorot: ±√(6 / (8 + 16)) = ±0.5.
    assert 0.4 < np.abs(first[0]).max() <= 0.5
