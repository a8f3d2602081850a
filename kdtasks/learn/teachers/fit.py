"""Find out how a network is to be asked, by its answers to validation images."""

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
from kdtasks.learn.teachers.input_choice import choose, is_better
from kdtasks.learn.teachers.input_forms import InputForm, forms_of
from kdtasks.learn.teachers.judge import Judge
from kdtasks.learn.teachers.network import run_in_batches
from kdtasks.learn.teachers.outputs import at_places, class_logits, kind_of
from kdtasks.learn.teachers.settings import TeacherParams, paste
from kdtasks.tasks.registry import task_of

# Validation images that forms are tried on in one round and the next; of a network whose answer to
# an image is large, as many as give so many numbers, or the least.
_ROUNDS, _VALUES, _LEAST = (100, 500), 2**24, 16


class Fit(NamedTuple):
    """How a network seems to be asked, by its answers to validation images.

    Attributes:
        form: how it takes pixels.
        rivals: forms that may be right as well.
        left: forms that are not clearly worse.
        kind: of its outputs.
        columns: the output of each class.
        figures: cross-entropy and accuracy of each form that was tried, in its last round.
    """

    form: InputForm
    rivals: Sequence[InputForm]
    left: Sequence[InputForm]
    kind: str
    columns: list[int]
    figures: dict[InputForm, tuple[float, float]]

    def __str__(self) -> str:
        return ", ".join(
            f"{form} {loss:.4g} ({reached:.1%} right)"
            for form, (loss, reached) in sorted(self.figures.items(), key=lambda item: item[1][0])
        )


def fit_network(
    source: Path,
    network: OpenedNetwork,
    images: Any,
    params: TeacherParams,
    dataset: PreparedDataset,
) -> tuple[Fit, Judge | None]:
    """Try the forms of the input, first on a few images, then those that are left on more.

    Args:
        source: of the network, for errors.
        images: of the validation split, as the teacher sees them.

    Returns:
        the fit, and what it was judged by; None where no image has a label.

    Raises:
        TeacherError: the outputs do not fit, are not finite or look permuted.
    """
    forms: Sequence[InputForm] = forms_of(params.input, images.shape[-1])
    values = math.prod(size or 1 for size in network.output_shape)
    rounds = [min(count, max(_LEAST, _VALUES // values)) for count in _ROUNDS]
    if not task_of(dataset.task).per_pixel:
        rounds.append(len(images))
    if not len(Judge.of(dataset, rounds[0]).rows):
        return _unjudged(source, network, images, params, dataset.class_names, forms), None
    figures: dict[InputForm, tuple[float, float]] = {}
    for count in rounds if len(forms) > 1 else rounds[1:2]:
        judge = Judge.of(dataset, count)
        fit = _fit(source, network, images, judge, params, dataset.class_names, forms)
        figures |= fit.figures
        forms = fit.left
        if count != rounds[0] and not fit.rivals:
            break
    return fit._replace(figures=figures), judge


def _fit(
    source: Path,
    network: OpenedNetwork,
    images: Any,
    judge: Judge,
    params: TeacherParams,
    class_names: Sequence[str],
    forms: Sequence[InputForm],
) -> Fit:
    outputs = _outputs(source, network, rows_of(images, judge.rows), forms)
    kind = kind_of(list(outputs.values()), params.output, source)
    places = judge.labels.shape[1:]
    logits = {form: at_places(class_logits(array, kind), places) for form, array in outputs.items()}
    width = next(iter(logits.values())).shape[-1]
    choices = column_choices(params, class_names, width)
    columns = max(
        choices,
        key=lambda some: max(judge.hits(array[..., some]).mean() for array in logits.values()),
    )
    _check_order(source, logits, columns, judge, class_names)
    logits = {form: array[..., columns] for form, array in logits.items()}
    best, rivals = choose(logits, judge)
    left = [
        form
        for form, array in logits.items()
        if form in rivals or not is_better(logits[best], array, judge)
    ]
    figures = {
        form: (float(judge.losses(array).mean()), judge.accuracy(array))
        for form, array in logits.items()
    }
    return Fit(best, rivals, left, kind, columns, figures)


def _unjudged(
    source: Path,
    network: OpenedNetwork,
    images: Any,
    params: TeacherParams,
    class_names: Sequence[str],
    forms: Sequence[InputForm],
) -> Fit:
    """Take what params say, where no label can tell."""
    if params.input.layout == "auto":
        forms = [form for form in forms if form.is_natural]
    if len(forms) > 1:
        raise TeacherError(
            f"teacher.input: no validation image has a label, which would tell how {source} takes "
            f"its pixels ({', '.join(map(str, forms))}). Look at how its images were prepared in "
            f"training; if as {forms[0]}, {params.input.line(**forms[0].content)}"
        )
    [(form, answers)] = _outputs(source, network, images[: _ROUNDS[0]], forms).items()
    kind = kind_of([answers], params.output, source)
    width = class_logits(answers, kind).shape[-1]
    choices = column_choices(params, class_names, width)
    if len(choices) > 1:
        raise TeacherError(
            f"{source} has {width} outputs, the dataset {len(class_names)} classes, and no "
            "validation image has a label, which would tell which is of the background; if the "
            f"first, {paste('classes', json.dumps(['background', *class_names]))}"
        )
    return Fit(form, [], [form], kind, choices[0], {})


def _outputs(
    source: Path, network: OpenedNetwork, images: Any, forms: Sequence[InputForm]
) -> dict[InputForm, np.ndarray]:
    """Run the network on images in each form; a form whose outputs are not finite is left out."""
    outputs = {form: run_in_batches(network, images, form)[0] for form in forms}
    finite = {form: array for form, array in outputs.items() if np.isfinite(array).all()}
    if not finite:
        raise TeacherError(
            f"the outputs of {source} include numbers that are not finite; look at its weights"
        )
    return finite


def _check_order(
    source: Path,
    logits: dict[InputForm, np.ndarray],
    columns: list[int],
    judge: Judge,
    class_names: Sequence[str],
) -> None:
    """Refuse outputs that would be right far more often in another order."""
    form = max(logits, key=lambda form: judge.hits_if_assigned(logits[form], columns).mean())
    if found := judge.better_order(logits[form], columns):
        order, reached = found
        as_it_is = float(judge.hits(logits[form][..., columns]).mean())
        outputs = logits[form].shape[-1]
        refuse_permuted(source, order, class_names, outputs, (as_it_is, reached))
