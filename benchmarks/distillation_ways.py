"""The ways to train the student that the benchmark of distillation measures, each a function."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from benchmarks.distillation_peers import (
    ALPHA,
    STUDENT,
    TEACHER,
    TEMPERATURE,
    fit,
    keras_3_distiller,
    keras_network,
    train_step_distiller,
)
from kdtasks.core.settings import Precision

BATCH, EPOCHS, IMAGES = 64, 20, 50_000
SHAPE, CLASSES = (32, 32, 3), 10


class Speed(NamedTuple):
    """Images a second of wall time, and of the processor's time that this process used."""

    wall: float
    cpu: float


class Clock:
    """Starts when the first epoch is over."""

    def start(self) -> None:
        """Start."""
        self._begin = time.perf_counter(), time.process_time()

    def speed(self, num_images: int) -> Speed:
        """Stop, after so many images."""
        end = time.perf_counter(), time.process_time()
        return Speed(*(num_images / (b - a) for a, b in zip(self._begin, end, strict=True)))


def make_ways(num_images: int, epochs: int, precision: Precision) -> dict[str, Callable[[], Speed]]:
    """Name every way; each trains for so many epochs of so many images and gives its speed."""
    from kdtasks.core.backend import keras, keras_3
    from kdtasks.learn.networks.inference import ForwardPass
    from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
    from kdtasks.learn.objectives.objective import LabelObjective
    from kdtasks.learn.targets.precision import to_float16
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.online import OnlineExamples
    from kdtasks.learn.training.step import precision_scope
    from kdtasks.learn.training.views import AugmentationParams

    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (num_images, 32, 32, 3), dtype=np.uint8)
    labels = draw.integers(0, 10, num_images).astype(np.int32)
    pixels = images.astype(np.float32)
    teacher = _zoo(TEACHER)
    predictor = ForwardPass(teacher)
    with precision_scope(precision):
        logits = predictor.logits(images)[-1]
    teachers = {}
    for library in (keras, keras_3()):
        with _policy(library, precision):
            teachers[library] = keras_network(library, **TEACHER)
    tolerance = 1e-3 if precision == "float32" else 0.1
    for library, network in teachers.items():
        network.set_weights(teacher.network.get_weights())
        of_peer = np.asarray(network(pixels[:8]))
        if not np.allclose(of_peer, logits[:8], rtol=tolerance, atol=tolerance):
            raise SystemExit(f"the teacher of {library.__name__} is not the teacher")
    distilling = DistillationObjective(DistillParams(alpha=ALPHA, temperature=TEMPERATURE))
    counted = (epochs - 1) * num_images

    def teacher_pass() -> Speed:
        clock = Clock()
        clock.start()
        with precision_scope(precision):
            predictor.logits(images)
        return clock.speed(num_images)

    def ours(examples: Any, objective: Any) -> Callable[[], Speed]:
        return lambda: _train(examples, objective, epochs, precision)

    def theirs(
        library: Any, distiller: Callable[[Any, Any], Any] | None, *, rewritten: bool = False
    ) -> Callable[[], Speed]:
        def run() -> Speed:
            with _policy(library, "float32" if rewritten else precision):
                student, clock = keras_network(library, **STUDENT), Clock()
                model = distiller(teachers[library], student) if distiller else _compiled(student)
            arrays = (pixels, labels)
            options = {"batch_size": BATCH, "epochs": epochs, "first_epoch_done": clock.start}
            with precision_scope(precision if rewritten else "float32"):
                fit(model, library, arrays, **options)
            return clock.speed(counted)

        return run

    cached = TrainingExamples(images[None], labels[None], logits[None].astype(np.float16))
    online = OnlineExamples(
        images,
        labels,
        AugmentationParams(),
        seed=0,
        predict_teacher=lambda views: to_float16([predictor.logits(views)[-1]], ()),
    )
    ways = {
        "teacher_pass": teacher_pass,
        "cached": ours(cached, distilling),
        "online": ours(online, distilling),
        "keras_3_distiller": theirs(keras_3(), keras_3_distiller),
        "train_step_distiller": theirs(keras, train_step_distiller),
        "alone": ours(TrainingExamples(images[None], labels[None]), LabelObjective()),
        "fit": theirs(keras, None),
    }
    if precision == "bfloat16":
        ways["fit_onednn"] = theirs(keras, None, rewritten=True)
    return ways


@contextlib.contextmanager
def _policy(library: Any, precision: Precision) -> Iterator[None]:
    """Build networks of a Keras whose layers compute in this precision."""
    if precision == "float32":
        yield
        return
    mixed = library.mixed_precision
    # tf_keras and Keras 3 have other names for it.
    set_policy = getattr(mixed, "set_global_policy", None) or mixed.set_dtype_policy
    set_policy("mixed_bfloat16")
    try:
        yield
    finally:
        set_policy("float32")


class Timed:
    """Examples that start a clock at their second epoch."""

    def __init__(self, examples: Any) -> None:
        """Wrap examples in memory."""
        self._examples = examples
        self.clock = Clock()
        self.num_examples, self.sample = examples.num_examples, examples.sample
        self.megabytes = examples.megabytes

    def in_memory(self) -> "Timed":
        """Nothing to read."""
        return self

    def blocks(self, *, epoch: int, **rest: Any) -> Any:
        """Yield the blocks of the examples."""
        if epoch == 2:
            self.clock.start()
        return self._examples.blocks(epoch=epoch, **rest)


def _train(examples: Any, objective: Any, epochs: int, precision: Precision) -> Speed:
    from kdtasks.learn.training.loop import TrainingSchedule, train
    from kdtasks.learn.training.settings import TrainParams

    timed: Any = Timed(examples)
    # Who learns from noise may well name one class for everything, which ends a training.
    unguarded = mock.patch("kdtasks.learn.training.monitor.CollapseGuard.check_predictions")
    with contextlib.redirect_stdout(io.StringIO()), unguarded:
        train(
            _zoo(STUDENT),
            timed,
            validation=(np.zeros((1, *SHAPE), np.uint8), np.zeros(1, np.int32)),
            objective=objective,
            schedule=TrainingSchedule(
                TrainParams(batch_size=BATCH, memory_limit_mb=4096, guard_epochs=epochs + 1),
                epochs=epochs,
                learning_rate=1e-3,
                seed=0,
                precision=precision,
            ),
        )
    return timed.clock.speed((epochs - 1) * examples.num_examples)


def _zoo(settings: dict[str, Any]) -> Any:
    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.cnn import CNN

    seed_everything(0)
    network = CNN(
        batch_normalization=False,
        activation="leaky_relu",
        top="flatten",
        **settings,
    )
    return build(network, input_shape=SHAPE, num_classes=CLASSES)


def _compiled(student: Any) -> Any:
    from kdtasks.core.backend import keras

    student.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return student
