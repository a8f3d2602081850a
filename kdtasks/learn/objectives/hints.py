"""Hints: pairs of hidden layers, brought to one shape so that their features can be compared.

After FitNets (Romero et al. 2015, arXiv 1412.6550), with the hint beside the other losses instead
of in a stage before them.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.errors import TrainingError
from kdtasks.core.reproducibility import generator
from kdtasks.core.settings import Positive, Section

Shape = tuple[int, ...]


class HintParams(Section):
    """A pair of layers: the student's features are drawn to the teacher's.

    The loss is weight · mean squared difference, after a trained 1×1 convolution where the channels
    differ, and an average over blocks of the larger grid where the sizes do.
    """

    student: str = Field(description="block of the student, named as in `student.exits`")
    teacher: str = Field(description="block of a teacher of the zoo, or layer of any teacher")
    weight: Positive = Field(description="weight of the hint, beside labels and teacher")


def teacher_layers(hints: Sequence[HintParams]) -> tuple[str, ...]:
    """Name the teacher's layers that hints look at, each once, in the order of the hints."""
    return tuple(dict.fromkeys(hint.teacher for hint in hints))


def student_blocks(hints: Sequence[HintParams]) -> tuple[str, ...]:
    """Name the student's blocks that hints look at, each once, in the order of the hints."""
    return tuple(dict.fromkeys(hint.student for hint in hints))


class _Pair(NamedTuple):
    """Places of the layers of a hint, the grid of both, and the trained kernel and bias, if any."""

    student: int
    teacher: int
    grid: tuple[int, int]
    projection: tuple[Any, ...]


class HintMatcher:
    """Brings the features of every hint to one shape; its projections are trained with the student.

    Where the channels differ, the student's pass a 1×1 convolution with a bias; where the grids do,
    the larger is averaged over blocks to the smaller. A vector counts as a grid of 1×1.
    The projections serve training only and are no part of the student.
    """

    def __init__(
        self,
        hints: Sequence[HintParams],
        *,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        seed: int,
    ) -> None:
        """Check the shapes and draw the projections' first weights.

        Args:
            student_shapes, teacher_shapes: (height, width, channels) or (channels,) of the layers
                in the order of `student_blocks` and `teacher_layers`.
            seed: the projections' first weights are a function of it and of the hint's place.

        Raises:
            TrainingError: the teacher brings other features than the hints want, or a grid is no
                multiple of the other.
        """
        names = teacher_layers(hints)
        if hints and len(names) != len(teacher_shapes):
            raise TrainingError(
                f"the hints look at {len(names)} layers of the teacher ({', '.join(names)}), the "
                f"targets hold the features of {len(teacher_shapes)}; run `dvc repro targets`"
            )
        students = dict(zip(student_blocks(hints), student_shapes, strict=True))
        teachers = dict(zip(names, teacher_shapes, strict=False))
        self._pairs = []
        for index, hint in enumerate(hints):
            student, teacher = students[hint.student], teachers[hint.teacher]
            pair = _Pair(
                student=list(students).index(hint.student),
                teacher=names.index(hint.teacher),
                grid=_common_grid(hint, student, teacher),
                projection=_projection(student[-1], teacher[-1], seed, index),
            )
            self._pairs.append(pair)

    @property
    def variables(self) -> list[Any]:
        """Weights to be trained with the student's."""
        return [weights for pair in self._pairs for weights in pair.projection]

    def __call__(
        self, student: Sequence[Tensor], teacher: Sequence[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        """Return for every hint the projected student's features and the teacher's.

        Args:
            student, teacher: float32 [batch, …] of the layers in the order of their shapes.
        """
        matched = []
        for pair in self._pairs:
            features = _averaged(student[pair.student], pair.grid)
            if pair.projection:
                kernel, bias = pair.projection
                features = tf.tensordot(features, kernel, axes=1) + bias
            matched.append((features, _averaged(teacher[pair.teacher], pair.grid)))
        return matched


def _common_grid(hint: HintParams, student: Shape, teacher: Shape) -> tuple[int, int]:
    """The coarser grid of the two, side by side."""
    grids = [(1, 1, *shape)[-3:-1] for shape in (student, teacher)]
    sides = []
    for one, other in zip(*grids, strict=True):
        if max(one, other) % min(one, other):
            raise TrainingError(
                f"distill.hints: block {hint.student} of the student is {_shown(student)}, layer "
                f"{hint.teacher} of the teacher {_shown(teacher)}; height and width of one must "
                "be multiples of the other's: choose layers that are as deep"
            )
        sides.append(min(one, other))
    return sides[0], sides[1]


def _shown(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _averaged(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Average float [batch, height, width, channels] or [batch, channels] to the grid."""
    if features.shape.rank == 2:
        return features[:, tf.newaxis, tf.newaxis, :]
    height, width = features.shape[1] // grid[0], features.shape[2] // grid[1]
    if (height, width) == (1, 1):
        return features
    return tf.nn.avg_pool2d(features, (height, width), (height, width), "VALID")


def _projection(inputs: int, outputs: int, seed: int, index: int) -> tuple[Any, ...]:
    """Draw kernel [inputs, outputs] and bias [outputs] (Glorot and Bengio 2010); none if equal."""
    if inputs == outputs:
        return ()
    limit = math.sqrt(6.0 / (inputs + outputs))
    drawn = generator("projections", seed, index).uniform(-limit, limit, (inputs, outputs))
    return tf.Variable(drawn.astype(np.float32)), tf.Variable(tf.zeros(outputs))
