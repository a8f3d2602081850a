"""Find a network's preprocessing, output kind and class order from its answers to images."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.data.prepared import PreparedDataset
from kdtasks.data.stacked_rows import rows_of
from kdtasks.learn.teachers.class_order import column_choices, refuse_permuted
from kdtasks.learn.teachers.formats import OpenedNetwork
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.network import run_in_batches
from kdtasks.learn.teachers.outputs import class_logits, output_kind, resize_logits
from kdtasks.learn.teachers.preprocessing import Preprocessing, preprocessing_candidates
from kdtasks.learn.teachers.preprocessing_choice import choose_preprocessing, is_better
from kdtasks.learn.teachers.settings import TeacherParams, paste
from kdtasks.tasks.registry import task_of

# Validation images that preprocessings are tried on in one round and the next; of a network whose
# answer to an image is large, as many as give so many numbers, or the least.
_ROUNDS, _VALUES, _LEAST = (100, 500), 2**24, 16


class TeacherInterface(NamedTuple):
    """What a network expects and returns, as its answers to validation images show.

    Attributes:
        preprocessing: how it takes pixels.
        rivals: preprocessings that may be right as well.
        remaining: preprocessings that are not clearly worse.
        kind: of its outputs.
        columns: the output of each class.
        metrics: cross-entropy and accuracy of each preprocessing that was tried, in its last round.
    """

    preprocessing: Preprocessing
    rivals: Sequence[Preprocessing]
    remaining: Sequence[Preprocessing]
    kind: str
    columns: list[int]
    metrics: dict[Preprocessing, tuple[float, float]]

    def __str__(self) -> str:
        return ", ".join(
            f"{preprocessing} {loss:.4g} ({reached:.1%} right)"
            for preprocessing, (loss, reached) in sorted(
                self.metrics.items(), key=lambda item: item[1][0]
            )
        )


def detect_interface(
    source: Path,
    network: OpenedNetwork,
    images: Any,
    params: TeacherParams,
    dataset: PreparedDataset,
) -> tuple[TeacherInterface, Judge | None]:
    """Try preprocessings, first on a few images, then the remaining ones on more.

    Args:
        source: of the network, for errors.
        images: of the validation split, as the teacher sees them.

    Returns:
        the fit, and what it was judged by; None where no image has a label.

    Raises:
        TeacherError: the outputs do not fit, are not finite or look permuted.
    """
    candidates: Sequence[Preprocessing] = preprocessing_candidates(params.input, images.shape[-1])
    values = math.prod(size or 1 for size in network.output_shape)
    rounds = [min(count, max(_LEAST, _VALUES // values)) for count in _ROUNDS]
    if not task_of(dataset.task).per_pixel:
        rounds.append(len(images))
    if not len(Judge.of(dataset, rounds[0]).rows):
        return _without_labels(
            source, network, images, params, dataset.class_names, candidates
        ), None
    metrics: dict[Preprocessing, tuple[float, float]] = {}
    for count in rounds if len(candidates) > 1 else rounds[1:2]:
        judge = Judge.of(dataset, count)
        interface = _detect(source, network, images, judge, params, dataset.class_names, candidates)
        metrics |= interface.metrics
        candidates = interface.remaining
        if count != rounds[0] and not interface.rivals:
            break
    return interface._replace(metrics=metrics), judge


def _detect(
    source: Path,
    network: OpenedNetwork,
    images: Any,
    judge: Judge,
    params: TeacherParams,
    class_names: Sequence[str],
    candidates: Sequence[Preprocessing],
) -> TeacherInterface:
    outputs = _outputs(source, network, rows_of(images, judge.rows), candidates)
    kind = output_kind(list(outputs.values()), params.output, source)
    mask_size = judge.labels.shape[1:]
    logits = {
        preprocessing: resize_logits(class_logits(array, kind), mask_size)
        for preprocessing, array in outputs.items()
    }
    width = next(iter(logits.values())).shape[-1]
    choices = column_choices(params, class_names, width)
    columns = max(
        choices,
        key=lambda some: max(judge.hits(array[..., some]).mean() for array in logits.values()),
    )
    _check_order(source, logits, columns, judge, class_names)
    logits = {preprocessing: array[..., columns] for preprocessing, array in logits.items()}
    best, rivals = choose_preprocessing(logits, judge)
    remaining = [
        preprocessing
        for preprocessing, array in logits.items()
        if preprocessing in rivals or not is_better(logits[best], array, judge)
    ]
    metrics = {
        preprocessing: (float(judge.losses(array).mean()), judge.accuracy(array))
        for preprocessing, array in logits.items()
    }
    return TeacherInterface(best, rivals, remaining, kind, columns, metrics)


def _without_labels(
    source: Path,
    network: OpenedNetwork,
    images: Any,
    params: TeacherParams,
    class_names: Sequence[str],
    candidates: Sequence[Preprocessing],
) -> TeacherInterface:
    """Take what params say, where no label can tell."""
    if params.input.layout == "auto":
        candidates = [preprocessing for preprocessing in candidates if preprocessing.is_natural]
    if len(candidates) > 1:
        raise TeacherError(
            f"teacher.input: no validation image has a label, which would tell how {source} takes "
            f"its pixels ({', '.join(map(str, candidates))}). Look at how its images were prepared "
            f"in training; if as {candidates[0]}, {params.input.line(**candidates[0].content)}"
        )
    [(preprocessing, answers)] = _outputs(source, network, images[: _ROUNDS[0]], candidates).items()
    kind = output_kind([answers], params.output, source)
    width = class_logits(answers, kind).shape[-1]
    choices = column_choices(params, class_names, width)
    if len(choices) > 1:
        raise TeacherError(
            f"{source} has {width} outputs, the dataset {len(class_names)} classes, and no "
            "validation image has a label, which would tell which is of the background; if the "
            f"first, {paste('classes', json.dumps(['background', *class_names]))}"
        )
    return TeacherInterface(preprocessing, [], [preprocessing], kind, choices[0], {})


def _outputs(
    source: Path, network: OpenedNetwork, images: Any, candidates: Sequence[Preprocessing]
) -> dict[Preprocessing, np.ndarray]:
    """Run the network with each preprocessing; those whose outputs are not finite are dropped."""
    outputs = {
        preprocessing: run_in_batches(network, images, preprocessing)[0]
        for preprocessing in candidates
    }
    finite = {
        preprocessing: array for preprocessing, array in outputs.items() if np.isfinite(array).all()
    }
    if not finite:
        raise TeacherError(
            f"the outputs of {source} include numbers that are not finite; look at its weights"
        )
    return finite


def _check_order(
    source: Path,
    logits: dict[Preprocessing, np.ndarray],
    columns: list[int],
    judge: Judge,
    class_names: Sequence[str],
) -> None:
    """Refuse outputs that would be right far more often in another order."""
    preprocessing = max(
        logits,
        key=lambda preprocessing: judge.hits_if_assigned(logits[preprocessing], columns).mean(),
    )
    if found := judge.better_order(logits[preprocessing], columns):
        order, reached = found
        current = float(judge.hits(logits[preprocessing][..., columns]).mean())
        outputs = logits[preprocessing].shape[-1]
        refuse_permuted(source, order, class_names, outputs, (current, reached))
