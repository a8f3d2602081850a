"""A teacher's outputs, and how they become logits of the dataset's classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdtasks.core.errors import TeacherError

# Rows of probabilities add up to 1 within float16's precision over a thousand classes.
_SUM_TOLERANCE = 1e-2


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether every row is a probability distribution; logits of many rows never all are.

    Args:
        outputs: float [N, …, classes].
    """
    sums = outputs.sum(axis=-1)
    return bool((outputs >= 0).all() and (np.abs(sums - 1.0) < _SUM_TOLERANCE).all())


def are_fractions(outputs: np.ndarray) -> bool:
    """Whether all numbers are of 0 … 1, as sigmoids give them."""
    return bool(((outputs >= 0) & (outputs <= 1)).all())


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """Return log p, whose softmax is p again, divided by its sum: nothing is softened twice.

    A probability that underflowed to 0 becomes the logarithm of the smallest float32, about −87.
    """
    return np.log(np.maximum(probabilities.astype(np.float32), np.finfo(np.float32).tiny))


def output_kind(outputs: Sequence[np.ndarray], setting: str, source: Path) -> str:
    """Find out what a network gives: `logits`, `probabilities` or `sigmoids`.

    An activation bounds the outputs whatever goes in, so every way of asking counts.

    Args:
        outputs: float32 [N, …, outputs], its outputs to images in one form and another.
        setting: `teacher.output`.
        source: of the teacher, for errors.

    Raises:
        TeacherError: the outputs are not what was wanted.
    """
    is_single = outputs[0].shape[-1] == 1
    if setting == "auto":
        if not is_single and all(map(are_probabilities, outputs)):
            return "probabilities"
        return "sigmoids" if all(map(are_fractions, outputs)) else "logits"
    if setting == "logits":
        return setting
    if not any(map(are_fractions, outputs)):
        raise TeacherError(
            f"teacher.output is {setting}, but the outputs of {source} reach from "
            f"{outputs[0].min():.4g} to {outputs[0].max():.4g}, and probabilities are of 0…1; set "
            "`teacher.output: logits`, or auto"
        )
    if setting == "probabilities" and not is_single and not any(map(are_probabilities, outputs)):
        raise TeacherError(
            f"teacher.output is probabilities, but the output rows of {source} do not add up "
            "to 1; set `teacher.output: sigmoids` if each is a probability by itself, which are "
            "then divided by their sum, or auto"
        )
    return "sigmoids" if is_single else setting


def resize_logits(logits: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Bring the logits of masks to another height and width, float32 [N, *places, classes].

    Bilinear, and as means where there are fewer pixels; those of whole images have no `size`.
    """
    if logits.shape[1:-1] == tuple(size):
        return logits
    from kdtasks.core.backend import tf

    resized: np.ndarray = tf.image.resize(logits, size, antialias=True).numpy()
    return resized


def class_logits(
    outputs: np.ndarray, kind: str, columns: Sequence[int] | None = None
) -> np.ndarray:
    """Turn outputs into logits, float32 [N, …, classes].

    Sigmoids of classes, each by itself, become log p: their softmax is p / Σ p. A single output is
    that of the second of two classes; its logit z stands beside 0, since softmax(0, z) is
    (1 − σ(z), σ(z)).

    Args:
        outputs: float32 [N, …, outputs].
        kind: as of `output_kind`.
        columns: the output of each class; None is as they come.
    """
    if outputs.shape[-1] == 1:
        first = np.zeros_like(outputs) if kind == "logits" else 1 - outputs
        outputs = np.concatenate([first, outputs], axis=-1)
    logits = outputs if kind == "logits" else to_logits(outputs)
    if columns is None or list(columns) == list(range(logits.shape[-1])):
        return logits
    return np.ascontiguousarray(logits[..., list(columns)])


def mean_logits(members: Sequence[np.ndarray]) -> np.ndarray:
    """Return log of the mean of the members' probabilities, float32.

    An ensemble is a mixture whose members weigh the same: p = 1/M · Σ softmax(z_m)
    (Lakshminarayanan, Pritzel and Blundell, "Deep Ensembles", arXiv 1612.01474, section 2.4). Its
    softmax is p again, so nothing is softened twice. The mean of the logits instead would let the
    member with the largest logits, the surest one, decide. All is computed from logarithms, so
    nothing underflows.

    Args:
        members: float [N, …, classes], the logits of each member.
    """
    from scipy.special import log_softmax  # takes half a second to import

    logarithms = log_softmax(np.asarray(members, np.float32), axis=-1)
    mean: np.ndarray = np.logaddexp.reduce(logarithms) - np.float32(np.log(len(members)))
    return mean
