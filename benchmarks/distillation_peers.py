"""The other ways to distil: both run the teacher in every step, by `fit` on NumPy arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

ALPHA, TEMPERATURE = 0.1, 10.0
# Filters, units, dropout: the teacher v3 and the student of `cifar10-keras`.
TEACHER: dict[str, Any] = {"filters": (256, 256, 512), "dense": (128,), "dropout": 0.25}
STUDENT: dict[str, Any] = {"filters": (32, 32), "dense": (16,), "dropout": 0.0}


def keras_network(library: Any, *, filters: Any, dense: Any, dropout: float) -> Any:
    """Build in either Keras what the zoo builds of the same numbers."""
    layers = library.layers
    image = library.Input((32, 32, 3))
    tensor = layers.Rescaling(1.0 / 255.0)(image)
    for number in filters:
        tensor = layers.Conv2D(number, 3, padding="same", kernel_initializer="he_normal")(tensor)
        tensor = layers.MaxPooling2D(padding="same")(layers.LeakyReLU(0.2)(tensor))
        tensor = layers.Dropout(dropout)(tensor) if dropout else tensor
    tensor = layers.Flatten()(tensor)
    for units in dense:
        tensor = layers.LeakyReLU(0.2)(layers.Dense(units)(tensor))
        tensor = layers.Dropout(dropout)(tensor) if dropout else tensor
    # Keras's guide for mixed precision keeps the last layer in float32.
    return library.Model(image, layers.Dense(10, dtype="float32")(tensor))


def fit(model: Any, library: Any, arrays: tuple[np.ndarray, np.ndarray], **options: Any) -> None:
    """Train; `first_epoch_done` among the options is called once everything is compiled."""
    done: Callable[[], None] = options.pop("first_epoch_done")
    callback = library.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, _logs: done() if epoch == 0 else None
    )
    model.fit(*arrays, verbose=0, callbacks=[callback], **options)


def keras_3_distiller(teacher: Any, student: Any) -> Any:
    """`keras.distillation.Distiller`, with the loss that applies softmax and T².

    Its default, the string `kl_divergence`, does neither. Compiled without XLA, which is slower on
    a CPU.
    """
    from kdtasks.core.backend import keras_3

    keras = keras_3()
    distiller = keras.distillation.Distiller(
        teacher=teacher,
        student=student,
        distillation_losses=keras.distillation.LogitsDistillation(
            temperature=TEMPERATURE, loss=keras.losses.KLDivergence()
        ),
        student_loss_weight=ALPHA,
    )
    distiller.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return distiller


def train_step_distiller(teacher: Any, student: Any) -> Any:
    """The Distiller of the Keras examples, in tf_keras, with T²."""
    from kdtasks.core.backend import keras, tf

    labels_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher_loss = keras.losses.KLDivergence()

    class Distiller(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.student = student

        def train_step(self, data: Any) -> dict[str, Any]:
            images, labels = data
            soft = tf.nn.softmax(teacher(images, training=False) / TEMPERATURE)
            with tf.GradientTape() as tape:
                logits = self.student(images, training=True)
                distilled = teacher_loss(soft, tf.nn.softmax(logits / TEMPERATURE))
                loss = ALPHA * labels_loss(labels, logits)
                loss += (1 - ALPHA) * TEMPERATURE**2 * distilled
            variables = self.student.trainable_variables
            gradients = tape.gradient(loss, variables)
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            self.compiled_metrics.update_state(labels, logits)
            return {metric.name: metric.result() for metric in self.metrics}

    distiller = Distiller()
    distiller.compile(optimizer=keras.optimizers.Adam(1e-3), metrics=["accuracy"])
    return distiller
