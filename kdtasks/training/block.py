"""One block of training steps, compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kdtasks.backend import Tensor, tf
from kdtasks.distillation.hints import HintMatcher
from kdtasks.distillation.step import Objective, Step
from kdtasks.models.tapped import TappedModel
from kdtasks.training.examples import Layout
from kdtasks.training.optimizer import Optimizer


def compile_block(
    model: TappedModel,
    matcher: HintMatcher,
    optimizer: Optimizer,
    objective: Objective,
    batch_size: int,
    layout: Layout,
    *,
    ignore_label: int | None,
) -> Callable[..., Tensor]:
    """Compile a block of steps: float32 [4], sums of loss, right answers, the teacher's, labels."""
    names = objective.numbers(epoch=1, epochs=1, history=())

    def specification(shape: tuple[int, ...], dtype: Any) -> Any:
        return tf.TensorSpec((None, batch_size, *shape), tf.as_dtype(dtype))

    @tf.function(
        input_signature=[
            specification(layout.image, np.uint8),
            specification(layout.label, layout.label_type),
            specification(layout.logits, np.float16),
            tuple(specification(shape, np.float16) for shape in layout.features),
            {name: tf.TensorSpec((), tf.float32) for name in names},
        ]
    )
    def run_block(
        images: Tensor,
        labels: Tensor,
        teacher: Tensor,
        features: tuple[Tensor, ...],
        numbers: dict[str, Tensor],
    ) -> Tensor:
        sums = tf.zeros(4)
        for step in tf.range(tf.shape(images)[0]):
            step_labels = tf.cast(labels[step], tf.int32)
            teacher_logits = tf.cast(teacher[step], tf.float32)
            teacher_features = [tf.cast(array[step], tf.float32) for array in features]
            with tf.GradientTape() as tape:
                exits, hidden = model(tf.cast(images[step], tf.float32), training=True)
                hints = matcher(hidden, teacher_features)
                loss = objective(
                    Step(exits, step_labels, teacher_logits, numbers, hints, model.exit_gradient)
                )
            optimizer.step(tape.gradient(loss, optimizer.variables))
            is_counted = tf.not_equal(step_labels, -1 if ignore_label is None else ignore_label)
            sums += tf.stack(
                [
                    loss,
                    _right(exits[-1], step_labels),
                    _right(teacher_logits, step_labels) if layout.logits != (0,) else 0.0,
                    tf.reduce_sum(tf.cast(is_counted, tf.float32)),
                ]
            )
        return sums

    return run_block


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    predicted = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(predicted == labels, tf.float32))
