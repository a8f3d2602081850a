"""What a distilled student minimises: labels, teacher, its own last exit, and hints."""

from collections.abc import Sequence

from kdtasks.backend import Tensor, tf
from kdtasks.distillation.label_loss import LabelLoss
from kdtasks.distillation.losses.kd import kd
from kdtasks.distillation.losses.registry import make_loss
from kdtasks.distillation.schedules import value_at
from kdtasks.distillation.step import History, Step
from kdtasks.params.distillation import DistillParams, HintParams


class DistillationObjective:
    """The mean over exits of alpha · label loss + (1 − alpha) · distillation loss, and hints.

    An early exit has weight · T²·KL(last exit ‖ early exit) besides where `exits.last_exit` gives
    it one, by which the last exit is not changed; without `exits.teacher` it learns from the
    labels with weight 1. Each hint adds weight · mean squared difference of features.
    """

    def __init__(
        self,
        params: DistillParams,
        ignore_label: int | None = None,
        label_loss: LabelLoss | None = None,
    ) -> None:
        """Bind the params.

        Arguments:
            ignore_label: label of rows without a truth; there the teacher alone teaches.
            label_loss: the loss of the labels; None is cross-entropy.

        Raises:
            ParamsError: there is no loss of that name.
        """
        self._params = params
        self._label_loss = label_loss or LabelLoss(ignore_label)
        self._loss = make_loss(params.loss, dkd_params=params.dkd, ignore_label=ignore_label)

    @property
    def hints(self) -> Sequence[HintParams]:
        """Pairs of layers whose features are compared."""
        return self._params.hints

    def numbers(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        """Return `alpha`, `temperature` and, for the losses of DKD, the `warm_up` reached."""
        numbers = {
            name: value_at(setting, epoch=epoch, epochs=epochs, history=history)
            for name, setting in (
                ("alpha", self._params.alpha),
                ("temperature", self._params.temperature),
            )
        }
        if self._params.loss.endswith("dkd"):
            # min(epoch / warm-up epochs, 1), as in the authors' code
            length = self._params.dkd.warm_up * epochs
            numbers["warm_up"] = min(1.0, epoch / length) if length > 0 else 1.0
        return numbers

    def __call__(self, step: Step) -> Tensor:
        """Return the loss of a step."""
        last = len(step.exits) - 1
        losses = [self._exit_loss(step, index, is_last=index == last) for index in range(last + 1)]
        total = step.mean(losses)
        for hint, (student, teacher) in zip(self.hints, step.hints, strict=True):
            total += hint.weight * tf.reduce_mean((student - teacher) ** 2)
        return total

    def _exit_loss(self, step: Step, index: int, *, is_last: bool) -> Tensor:
        alpha, temperature = step.numbers["alpha"], step.numbers["temperature"]
        teaching, logits = self._params.exits, step.exits[index]
        loss = self._label_loss(logits, step.labels)
        if is_last or teaching.teacher:
            taught = self._loss(logits, step.teacher_logits, temperature, step.labels)
            share = (1.0 - alpha) * step.numbers.get("warm_up", 1.0)
            loss = alpha * loss + share * taught
        if not is_last and teaching.last_exit:
            loss += teaching.last_exit * kd(logits, tf.stop_gradient(step.exits[-1]), temperature)
        return loss
