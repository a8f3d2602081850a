"""The two sources of a teacher: training it here, and importing it."""

from collections.abc import Sequence

from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.training import Member, TrainedScores, Training
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
from kdtasks.learn.networks.inference import Predictor
from kdtasks.learn.objectives.objective import LabelObjective, label_loss_of
from kdtasks.learn.teachers.imported import DESCRIPTION, TeacherParams, import_teacher
from kdtasks.learn.teachers.teacher import mean_logits, open_teacher
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.monitor import mean_history, write_history
from kdtasks.learn.training.run import (
    Trained,
    TrainingRun,
    run_training,
    schedule_of,
    write_trained,
)
from kdtasks.learn.training.settings import TrainingSetup
from kdtasks.learn.training.views import AugmentationParams, draw_views
from kdtasks.tasks.confusion import accuracy

NAME = "teacher"


def make_teacher(
    settings: TeacherParams,
    dataset: PreparedDataset,
    *,
    augmentation: AugmentationParams,
    setup: TrainingSetup,
    paths: ProjectPaths,
) -> None:
    """Write the teacher, its metrics and its history, from the source that settings name."""
    if settings.source == "import":
        _import(settings, dataset, paths)
    else:
        train_teacher(settings, dataset, augmentation=augmentation, setup=setup, paths=paths)


def _import(settings: TeacherParams, dataset: PreparedDataset, paths: ProjectPaths) -> None:
    images, labels = dataset.images("validation"), dataset.labels("validation")
    import_teacher(
        paths.teacher,
        settings,
        images=images,
        labels=labels,
        num_classes=dataset.num_classes,
        ignore_label=dataset.ignore_label,
    )
    teacher = open_teacher(paths.teacher)
    predicted = teacher.logits(images).argmax(axis=-1)
    reached = round(accuracy(predicted, labels, dataset.ignore_label), 6)
    print(f"imported teacher: validation accuracy {reached:.2%}")
    write_history(paths.plot(NAME), [])
    Training(
        validation=TrainedScores(accuracy=(reached,)),
        parameters=teacher.parameters,
        macs=None,
        epochs=0,
        seed=None,
    ).write(paths.metrics(NAME))


def train_teacher(
    settings: TeacherParams,
    dataset: PreparedDataset,
    *,
    augmentation: AugmentationParams,
    setup: TrainingSetup,
    paths: ProjectPaths,
) -> None:
    """Write the teacher that settings describe, or the ensemble, with metrics and history.

    Members differ in their seed alone, and so in initial weights and order of the images. Each
    keeps its checkpoint until all are done, so an interrupted stage loses at most an epoch.
    """
    examples = TrainingExamples(
        *draw_views(
            dataset.images("train"),
            dataset.labels("train"),
            augmentation,
            memory_limit_mb=setup.train.memory_limit_mb,
        )
    )
    objective = LabelObjective(label_loss_of(setup.train.loss, dataset))

    def train(name: str, seed: int) -> Trained:
        assert settings.model is not None  # the params section refuses it
        run = TrainingRun(
            name=name,
            network=settings.model,
            schedule=schedule_of(
                setup,
                epochs=settings.epochs,
                stop_epoch=settings.stop_epoch,
                learning_rate=settings.learning_rate,
                seed=seed,
            ),
            inputs=[paths.dataset],
        )
        return run_training(
            run, setup, dataset=dataset, examples=examples, objective=objective, paths=paths
        )

    count, first_seed = settings.ensemble, settings.seed
    if count == 1:
        write_trained(train(NAME, first_seed), dataset, paths)
        return
    members = [train(f"{NAME}/member_{index}", first_seed + index) for index in range(count)]
    _write_ensemble(members, dataset, paths)


def _write_ensemble(
    members: Sequence[Trained], dataset: PreparedDataset, paths: ProjectPaths
) -> None:
    images, labels = dataset.images("validation"), dataset.labels("validation")
    ignore_label = dataset.ignore_label
    logits = [Predictor(member.model).logits(images)[-1] for member in members]
    together = mean_logits(logits)
    answers = [of.argmax(axis=-1) for of in (together, *logits)]
    reached = [round(accuracy(answer, labels, ignore_label), 6) for answer in answers]
    loss = CrossEntropy()(together, labels, ignore_label=ignore_label)
    print(
        f"ensemble of {len(members)}: validation accuracy {reached[0]:.2%}, its members "
        + ", ".join(f"{share:.2%}" for share in reached[1:])
    )
    names = [f"member_{index}" for index in range(len(members))]
    with atomic_folder(paths.teacher) as partial:
        for name, member in zip(names, members, strict=True):
            member.save(partial / name)
        write_json(partial / DESCRIPTION, {"members": names})
    write_history(paths.plot(NAME), mean_history([m.history for m in members]))
    first = members[0].run.schedule
    Training(
        validation=TrainedScores(
            accuracy=(reached[0],),
            loss=round(float(loss), 6),
        ),
        parameters=sum(member.model.count_parameters() for member in members),
        macs=(sum(member.model.macs()[-1] for member in members),),
        epochs=first.last_epoch,
        seed=first.seed,
        members=tuple(
            Member(
                accuracy=share,
                loss=member.history[-1]["validation_loss"],
                seed=member.run.schedule.seed,
            )
            for member, share in zip(members, reached[1:], strict=True)
        ),
    ).write(paths.metrics(NAME))
    for member in members:
        member.checkpoint.remove()
