"""One block of training steps, compiled."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, has_gpu, keras, tf
from kdtasks.core.settings import OpenFraction, Precision, Section, count_of
from kdtasks.learn.networks.multi_exit import TappedModel
from kdtasks.learn.objectives.hints import HintMatcher
from kdtasks.learn.objectives.objective import Objective, Step
from kdtasks.learn.training.average import WeightAverage
from kdtasks.learn.training.examples import Block
from kdtasks.tasks.confusion import uncounted

_OPTION = "auto_mixed_precision_onednn_bfloat16"

# Kernels that look at one channel stay in float32: oneDNN's of 16 bits take four times as long, and
# a network of them twice.
_IN_FLOAT32 = tuple(
    f"DepthwiseConv2dNative{part}" for part in ("", "BackpropInput", "BackpropFilter")
)

_EXCEPTIONS = "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE"


class OptimizerParams(Section):
    """What turns gradients into steps; `learning_rate` of what is trained is its highest rate."""

    name: Literal["adam", "sgd"] = Field(
        default="adam",
        description="`adam`, or `sgd` with Nesterov's momentum, which wants 20 to 50 times the "
        "learning rate and often ends more accurate after many epochs",
    )
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.9, description="momentum of `sgd`; `adam` has its own"
    )
    weight_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="in each step kernels shrink by this fraction times the learning rate "
        "(decoupled from gradients); biases and batch normalisation do not",
    )
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine",
        description="after the warm-up the learning rate falls along a `cosine` to 0, or stays "
        "`constant`",
    )
    warm_up: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="fraction of the steps in which the learning rate rises evenly from 0",
    )
    ema_decay: OpenFraction | None = Field(
        default=None,
        description="validate and keep an exponential moving average of the weights, of which a "
        "step keeps this fraction (such as 0.999; at most (1 + t) / (10 + t) in step t); null: "
        "the last weights. Not in fine-tuning after a pass",
    )


class Optimizer:
    """Adam (arXiv 1412.6980), or SGD with Nesterov's momentum (Sutskever et al., 2013).

    Weight decay is decoupled from the gradients (arXiv 1711.05101) and leaves biases and batch
    normalisation alone.

    Attributes:
        variables: what it trains.
        average: of the weights.
        state: its own variables, and those of the average.
    """

    def __init__(
        self,
        params: OptimizerParams,
        variables: Sequence[Any],
        *,
        averaged: Sequence[Any] = (),
        learning_rate: float,
        steps: int,
    ) -> None:
        """Make its state.

        Args:
            averaged: weights that an average is kept of, where `params` want one.
            learning_rate: the highest rate.
            steps: number of all steps.
        """
        rate = learning_rates(params, highest=learning_rate, steps=steps)
        # The optimisers of before Keras 2.11 are 1.2 times as fast on processors.
        self._inner = (
            keras.optimizers.legacy.Adam(rate)
            if params.name == "adam"
            else keras.optimizers.legacy.SGD(rate, momentum=params.momentum, nesterov=True)
        )
        self._inner._create_all_weights(variables)
        self.average = WeightAverage(averaged, params.ema_decay, self._inner.iterations)
        self.variables, self.state = variables, [*self._inner.weights, *self.average.state]
        self._decay = params.weight_decay

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Change every variable by its gradient."""
        if self._decay:
            shrink = self._inner._decayed_lr(tf.float32) * self._decay
            for variable in self.variables:
                if len(variable.shape) > 1:
                    variable.assign_sub(shrink * variable)
        self._inner.apply_gradients(zip(gradients, self.variables, strict=True))
        self.average.update()


def learning_rates(params: OptimizerParams, *, highest: float, steps: int) -> Any:
    """Give the learning rate of every step, as an optimiser of Keras takes it.

    With a warm-up of W of all N steps it is t / W of the highest rate in step t < W, from 0, and
    then that rate or, along a cosine, (1 + cos π (t − W) / (N − W)) / 2 of it.
    """
    warm_up, schedules = count_of(params.warm_up, steps), keras.optimizers.schedules
    if params.schedule == "constant":
        return schedules.PolynomialDecay(0.0, warm_up, highest) if warm_up else highest
    if not warm_up:
        return schedules.CosineDecay(highest, steps)
    return schedules.CosineDecay(0.0, steps - warm_up, warmup_target=highest, warmup_steps=warm_up)


def compile_block(
    model: TappedModel,
    matcher: HintMatcher,
    optimizer: Optimizer,
    objective: Objective,
    batch_size: int,
    sample: Block,
    *,
    ignore_label: int | None,
) -> Callable[..., Tensor]:
    """Compile a block of steps: float32 [4], sums of loss, right answers, the teacher's, labels."""

    def specification(array: Any) -> Any:
        return tf.TensorSpec((None, batch_size, *array.shape), array.dtype)

    names = objective.epoch_values(epoch=1, epochs=1, history=())
    scalars = dict.fromkeys(names, tf.TensorSpec((), tf.float32))

    def run_step(block: Block, values: dict[str, Tensor], step: Tensor) -> Tensor:
        images = tf.cast(block.images[step], tf.float32)
        labels = tf.cast(block.labels[step], tf.int32)
        teacher = tf.cast(block.logits[step], tf.float32)
        teacher_features = [tf.cast(array[step], tf.float32) for array in block.features]
        with tf.GradientTape() as tape:
            exits, hidden = model(images, training=True)
            hints = matcher(hidden, teacher_features)
            mixture = [array[step] for array in block.mixture]
            weights = [array[step] for array in block.weights]
            factor = model.exit_gradient
            loss = objective(Step(exits, labels, teacher, values, hints, factor, mixture, weights))
        optimizer.step(tape.gradient(loss, optimizer.variables))
        is_counted = tf.not_equal(labels, uncounted(ignore_label))
        counted = tf.reduce_sum(tf.cast(is_counted, tf.float32))
        agreed = _right(teacher, labels) if sample.logits.size else 0.0
        return tf.stack([loss, _right(exits[-1], labels), agreed, counted])

    # AutoGraph reads the source of every function on the way, which takes longer than all else
    # before the first step.
    @tf.function(
        autograph=False, input_signature=[tf.nest.map_structure(specification, sample), scalars]
    )
    def run_block(block: Block, values: dict[str, Tensor]) -> Tensor:
        steps = tf.shape(block.images)[0]
        return tf.while_loop(
            lambda step, _: step < steps,
            lambda step, sums: (step + 1, sums + run_step(block, values, step)),
            (tf.constant(0), tf.zeros(4)),
        )[1]

    return run_block


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    predicted = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(predicted == labels, tf.float32))


@contextmanager
def precision_scope(precision: Precision) -> Iterator[None]:
    """Run compiled functions called inside in this precision; all others stay in float32.

    With `bfloat16` TensorFlow's graph optimiser hands convolutions and matrix products numbers of
    16 bits (Kalamkar et al., 2019, "A Study of BFLOAT16 for Deep Learning Training") and keeps
    weights, losses and sums in float32. A processor without such instructions trains in float32.
    A GPU multiplies in TensorFloat-32 (10 bits behind the point) instead, and only then.
    """
    if precision == "float32":
        yield
        return
    if has_gpu():
        tf.config.experimental.enable_tensor_float_32_execution(True)
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(False)
        return
    named = os.environ.get(_EXCEPTIONS, "").split(",")
    os.environ[_EXCEPTIONS] = ",".join(dict.fromkeys([*filter(None, named), *_IN_FLOAT32]))
    before = tf.config.optimizer.get_experimental_options().get(_OPTION, False)
    tf.config.optimizer.set_experimental_options({_OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OPTION: before})
