"""What each student is taught with: the arms that are compared, under one budget of steps.

Every arm of a seed has the same network, the same first weights and, unless params say otherwise,
as many steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from kdtasks.core.errors import Refused
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import NO_LABELS
from kdtasks.data.labels import TrainingSet, open_labelled, training_set
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.data.stacked_rows import StackedRows, new_array, rows_of
from kdtasks.data.teacher_images import teacher_images
from kdtasks.data.unlabelled import IMAGES, open_unlabelled
from kdtasks.learn.networks.saved import initial_weights_of
from kdtasks.learn.objectives.distillation import (
    DistillationObjective,
    DistillParams,
    FurtherArm,
)
from kdtasks.learn.objectives.hints import teacher_layers
from kdtasks.learn.objectives.objective import (
    HardLabelObjective,
    LabelObjective,
    Objective,
    backbone_first,
    make_label_loss,
)
from kdtasks.learn.schedules import History
from kdtasks.learn.targets.files import target_files
from kdtasks.learn.targets.open import distillation_set, open_targets
from kdtasks.learn.targets.precision import to_float16
from kdtasks.learn.teachers.teacher import Teacher, open_teacher
from kdtasks.learn.training.examples import Examples, TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.online import OnlineExamples, no_logits
from kdtasks.learn.training.repetition import in_cycles, repeated_examples, repetition_of
from kdtasks.learn.training.resized_views import ResizedViews, view_in_batches
from kdtasks.learn.training.run import TrainedNetwork, TrainingRun, run_training
from kdtasks.learn.training.settings import StudentParams, TrainingSetup, TrainParams
from kdtasks.learn.training.views import AugmentationParams, count_views

Arm = FurtherArm | Literal["labels", "soft"]

_CHUNK = 2048


class ArmPlan(NamedTuple):
    """What a student is trained on, and towards what.

    Attributes:
        inputs: files that this depends on, besides the dataset.
        keeps_best: whether the weights of the epoch that is best on validation are kept: labels
            alone are learnt by heart in too many epochs, and may choose theirs.
    """

    examples: Examples
    objective: Objective
    inputs: Sequence[Path]
    keeps_best: bool


@dataclass(frozen=True)
class ArmPlanner:
    """Plans the training of each arm, for one seed.

    Attributes:
        paths: of the project.
        augmentation: how views are drawn.
        train: the loop, with the loss of the labels.
        distill: the distillation.
        online: whether every epoch has new views, which the teacher answers as they come.
        seed: the student's.
    """

    paths: ProjectPaths
    augmentation: AugmentationParams
    train: TrainParams
    distill: DistillParams
    online: bool
    seed: int

    @cached_property
    def dataset(self) -> PreparedDataset:
        """The prepared dataset."""
        return open_prepared(self.paths.prepared)

    def plan(self, arm: Arm) -> ArmPlan:
        """Plan the training of an arm.

        - `labels`: the labels that students see, and nothing else.
        - `soft_labelled`: besides them the teacher's soft answers, to the same images only.
        - `hard`: the teacher's likeliest class as the label of every image.
        - `soft`: its soft answers to every image, and labels where there are any: the product.
        - `all_labels`: no teacher, but the labels that are hidden from the others too.

        Raises:
            Refused: the arm is about labels that students see, and there are none.
        """
        paths, unlabelled = self.paths, open_unlabelled(self.paths.unlabelled)
        labelled = open_labelled(paths.labelled)
        files = [paths.labelled, paths.unlabelled / IMAGES]
        if arm in ("soft", "hard"):
            training = distillation_set(paths.targets, self.dataset, unlabelled, labelled)
            layers = teacher_layers(self.distill.hints) if arm == "soft" else ()
            examples = open_targets(
                paths.targets,
                training,
                seed=self.seed,
                layers=layers,
                own_images=paths.teacher_images,
            )
            inputs = [*files, *target_files(paths.targets)]
            return ArmPlan(examples, self._objective(arm, training), inputs, keeps_best=False)
        if arm != "all_labels" and not len(labelled):
            raise Refused(NO_LABELS)
        training = training_set(self.dataset, unlabelled, labelled)
        epoch_size = len(training)
        if arm == "all_labels":
            training = training_set(self.dataset, unlabelled[:0])
        teacher = open_teacher(paths.teacher) if arm == "soft_labelled" else None
        if teacher:
            names = self.dataset.names("train")
            teacher = teacher.for_images([names[row] for row in training.labelled])
        examples = self._repeated_examples(training, epoch_size, teacher)
        if teacher:
            files += sorted(path for path in paths.teacher.rglob("*") if path.is_file())
        return ArmPlan(examples, self._objective(arm, training), files, keeps_best=teacher is None)

    def _repeated_examples(
        self, training: TrainingSet, epoch_size: int, teacher: Teacher | None
    ) -> Examples:
        """Show the labelled images alone, again and again, and what the teacher says of them."""
        rows = training.labelled
        images, labels = rows_of(training.images, rows), rows_of(training.labels, rows)
        data = (images, labels, self.augmentation)
        weights = None if training.weights is None else training.weights[rows]
        own = self._own_images(training) if teacher and teacher.image_shape else None
        if self.online:
            answer = partial(_teacher_logits, teacher) if teacher else no_logits
            files = own.draw if own else None
            return OnlineExamples(*data, self.seed, answer, epoch_size, weights, files)
        limit = self.train.memory_limit_mb
        examples = repeated_examples(
            *data, epoch_size=epoch_size, memory_limit_mb=limit, weights=weights
        )
        if not teacher:
            return examples
        if not own:
            return _with_teacher_logits(examples, teacher, len(images), limit)
        return _with_resized_teacher_logits(examples, teacher, own, labels, limit)

    def _own_images(self, training: TrainingSet) -> ResizedViews:
        """Give the labelled images as the teacher sees them."""
        images = teacher_images(self.paths.teacher_images, "train")
        height, width = training.images.shape[1:3]
        rows = StackedRows((images, training.labelled))
        return ResizedViews(rows, (height, width), self.augmentation)

    def _objective(self, arm: Arm, training: TrainingSet) -> Objective:
        loss = make_label_loss(
            self.train.loss, self.dataset, training, balance=self.train.class_balance
        )
        if arm == "hard":
            return HardLabelObjective(replace(loss, ignore_label=None))
        if arm == "soft":
            return DistillationObjective(self.distill, loss)
        if arm == "soft_labelled":
            return DistillationObjective(self.distill.model_copy(update={"hints": ()}), loss)
        return LabelObjective(loss)


def rate_and_epochs(arm: Arm, student: StudentParams, distill: DistillParams) -> tuple[float, int]:
    """Give the highest learning rate of an arm, and its epochs."""
    if arm in ("labels", "all_labels"):
        return student.learning_rate, student.epochs or distill.epochs
    return distill.learning_rate or student.learning_rate, distill.epochs


def train_arm(
    name: str,
    arm: Arm,
    planner: ArmPlanner,
    student: StudentParams,
    setup: TrainingSetup,
    on_epoch: Callable[[History], None] | None = None,
    quick_epochs: int | None = None,
) -> TrainedNetwork:
    """Train the student of an arm; nothing is written but its checkpoint.

    Args:
        name: of its outputs and its checkpoint.
        student: its network.
        setup: what all trainings share.
        on_epoch: as of `TrainingSchedule`.
        quick_epochs: of a quick try, which keeps its last one, so that validation images choose
            nothing; None for all epochs.
    """
    plan = planner.plan(arm)
    rate, epochs = rate_and_epochs(arm, student, planner.distill)
    root = planner.paths.root
    start = initial_weights_of(Path(student.start), planner.seed, root)
    run = TrainingRun(
        name=name,
        network=student.model,
        exits=student.exits,
        heads=student.heads,
        schedule=TrainingSchedule(
            setup.train,
            epochs=quick_epochs or epochs,
            learning_rate=rate,
            seed=planner.seed,
            precision=setup.precision,
            keeps_best=setup.metric if plan.keeps_best and quick_epochs is None else None,
            on_epoch=on_epoch,
        ),
        initial_weights=start and root / start,
        inputs=[planner.paths.dataset, *plan.inputs],
        files=root / student.start,
    )
    return run_training(
        run,
        setup,
        dataset=planner.dataset,
        examples=plan.examples,
        objective=backbone_first(plan.objective, student.backbone_first),
        paths=planner.paths,
    )


def _teacher_logits(teacher: Teacher, images: np.ndarray) -> tuple[np.ndarray, ...]:
    return to_float16([teacher.logits(images)], ())


def _with_teacher_logits(
    examples: TrainingExamples, teacher: Teacher, count: int, memory_limit_mb: float
) -> TrainingExamples:
    """Have the teacher answer every view; view i is of image i mod `count`."""
    cycles, epoch_size = examples.images.shape[:2]
    total = cycles * epoch_size
    logits: Any = None
    for start in range(0, total, _CHUNK):
        indices = np.arange(start, min(start + _CHUNK, total))
        images = examples.images[indices // epoch_size, indices % epoch_size]
        (part,) = to_float16(teacher.predict(images, indices % count), ())
        if logits is None:
            shape = (total, *part.shape[1:])
            logits = new_array(shape, part.dtype, memory_limit_mb=memory_limit_mb)
        logits[indices] = part
    return replace(examples, teacher_logits=logits.reshape(cycles, epoch_size, *logits.shape[1:]))


def _with_resized_teacher_logits(
    examples: TrainingExamples,
    teacher: Teacher,
    own: ResizedViews,
    labels: Any,
    memory_limit_mb: float,
) -> TrainingExamples:
    """Have the teacher answer the same views of images of its own."""
    cycles, epoch_size = examples.images.shape[:2]
    _, repeated = repetition_of(len(labels), own.augmentation, epoch_size)
    views, logits = count_views(repeated), None
    for view in range(views):
        drawn = view_in_batches(own.images, labels, view=view, augmentation=repeated, size=own.size)
        for rows, images in drawn:
            (part,) = to_float16(teacher.predict(images, rows), ())
            if logits is None:
                shape = (views, len(labels), *part.shape[1:])
                logits = new_array(shape, part.dtype, memory_limit_mb=memory_limit_mb)
            logits[view, rows] = part
    return replace(examples, teacher_logits=in_cycles(logits, cycles, epoch_size))
