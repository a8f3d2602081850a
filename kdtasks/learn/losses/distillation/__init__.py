"""The losses that `distill.loss` names."""

from collections.abc import Callable
from functools import partial

from kdtasks.core.backend import Tensor
from kdtasks.core.errors import ParamsError, did_you_mean
from kdtasks.learn.losses.distillation.channelwise_kd import channelwise_kd
from kdtasks.learn.losses.distillation.dist import dist
from kdtasks.learn.losses.distillation.dkd import DkdParams, dkd
from kdtasks.learn.losses.distillation.kd import kd, standardize

# From the student's logits, the teacher's, the temperature and the labels to one number.
Loss = Callable[[Tensor, Tensor, Tensor | float, Tensor], Tensor]


def make_loss(name: str, *, dkd_params: DkdParams, ignore_label: int | None = None) -> Loss:
    """Return the loss of that name.

    Arguments:
        dkd_params: weights of the two parts of `dkd`.
        ignore_label: label of rows without a true class, which `dkd` leaves out.

    Raises:
        ParamsError: there is none of that name; the message lists the names.
    """
    decoupled = partial(
        dkd,
        target_weight=dkd_params.target_weight,
        others_weight=dkd_params.others_weight,
        ignore_label=ignore_label,
    )
    losses: dict[str, Loss] = {
        "kd": _without_labels(kd),
        "standardized_kd": _standardized(_without_labels(kd)),
        "dkd": decoupled,
        "standardized_dkd": _standardized(decoupled),
        "dist": _without_labels(dist),
        "channelwise_kd": _without_labels(channelwise_kd),
    }
    if name not in losses:
        raise ParamsError(
            f"distill.loss: got {name!r}; allowed: {', '.join(losses)}{did_you_mean(name, losses)}"
        )
    return losses[name]


def _without_labels(loss: Callable[[Tensor, Tensor, Tensor | float], Tensor]) -> Loss:
    return lambda student, teacher, temperature, _labels: loss(student, teacher, temperature)


def _standardized(loss: Loss) -> Loss:
    return lambda student, teacher, temperature, labels: loss(
        standardize(student), standardize(teacher), temperature, labels
    )
