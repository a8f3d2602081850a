"""The sources of a teacher: training it here, importing a network, or taking a file of answers."""

from collections.abc import Mapping

import numpy as np

from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.training import ExitScores, Member, TrainedScores, Training
from kdtasks.data.prepared import PreparedDataset
from kdtasks.data.teacher_images import teacher_images
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.saved import save_model
from kdtasks.learn.objectives.objective import LabelLossSum, LabelObjective, make_label_loss
from kdtasks.learn.teachers.answers import import_answers
from kdtasks.learn.teachers.formats import DESCRIPTION
from kdtasks.learn.teachers.imported import import_teacher
from kdtasks.learn.teachers.labelling import images_per_batch
from kdtasks.learn.teachers.outputs import mean_logits
from kdtasks.learn.teachers.settings import TeacherParams
from kdtasks.learn.teachers.teacher import open_teacher
from kdtasks.learn.teachers.trained_on import TrainedOn
from kdtasks.learn.training.examples import TrainingExamples, in_views
from kdtasks.learn.training.loop import TrainingSchedule, mean_loss
from kdtasks.learn.training.monitor import mean_history, write_history
from kdtasks.learn.training.run import TrainedNetwork, TrainingRun, run_training, write_trained
from kdtasks.learn.training.settings import TrainingSetup
from kdtasks.learn.training.trend import trend_of
from kdtasks.learn.training.views import AugmentationParams, draw_views
from kdtasks.tasks.confusion import ExitConfusions, counted
from kdtasks.tasks.registry import metric_of, task_of

NAME = "teacher"


def make_teacher(
    settings: TeacherParams,
    dataset: PreparedDataset,
    *,
    augmentation: AugmentationParams,
    setup: TrainingSetup,
    paths: ProjectPaths,
) -> None:
    """Write the teacher, its metrics and its history, from the source that settings name.

    Members of an ensemble differ in their seed alone, and so in initial weights and order of the
    images. Each keeps its checkpoint until all are done, so an interrupted stage loses at most an
    epoch.
    """
    if settings.source != "train":
        _import(settings, setup, dataset, paths)
        return
    trained_on = TrainedOn.of(dataset.images("train"))
    split, limit = (dataset.images("train"), dataset.labels("train")), setup.train.memory_limit_mb
    images, labels = draw_views(*split, augmentation, memory_limit_mb=limit)
    weights = in_views(dataset.row_weights(), len(images))
    examples = TrainingExamples(images, labels, weights=weights)
    objective = LabelObjective(
        make_label_loss(setup.train.loss, dataset, balance=setup.train.class_balance)
    )

    def train(name: str, seed: int) -> TrainedNetwork:
        assert settings.model is not None  # the params section refuses it
        run = TrainingRun(
            name=name,
            network=settings.model,
            schedule=TrainingSchedule(
                setup.train,
                epochs=settings.epochs,
                learning_rate=settings.learning_rate,
                seed=seed,
                stop_epoch=settings.stop_epoch,
                precision=setup.precision,
            ),
            inputs=[paths.dataset],
            files=paths.root / settings.path,
        )
        return run_training(
            run, setup, dataset=dataset, examples=examples, objective=objective, paths=paths
        )

    if settings.ensemble == 1:
        write_trained(train(NAME, settings.seed), dataset, paths)
        trained_on.write(paths.teacher)
        return
    names = [f"member_{index}" for index in range(settings.ensemble)]
    members = {
        name: train(f"{NAME}/{name}", seed) for seed, name in enumerate(names, start=settings.seed)
    }
    _write_ensemble(members, setup, dataset, paths)
    trained_on.write(paths.teacher)


def _import(
    settings: TeacherParams, setup: TrainingSetup, dataset: PreparedDataset, paths: ProjectPaths
) -> None:
    if settings.source == "logits":
        import_answers(paths.teacher, settings, dataset)
    else:
        is_own = settings.input.is_own
        own = teacher_images(paths.teacher_images, "validation") if is_own else None
        import_teacher(paths.teacher, settings, dataset, own)
    teacher = open_teacher(paths.teacher).for_images(dataset.names("validation"))
    images = teacher.inputs(paths.teacher_images, "validation", dataset.images("validation"))
    confusions, labels, chunk = (
        _new_confusions(dataset),
        dataset.labels("validation"),
        images_per_batch(dataset),
    )
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        logits, *_ = teacher.predict(images[rows], rows)
        confusions.add([logits.argmax(axis=-1)], labels[rows])
    scores = confusions.scores()
    labels_from = dataset.labels_from("validation")
    if labels_from:
        print("imported teacher: its own answers stand in the place of labels")
    else:
        print(f"imported teacher: validation {_metric_text(setup, dataset, scores)}")
    write_history(paths.plot(NAME), [])
    Training(
        validation=TrainedScores(**scores.present(), labels_from=labels_from),
        parameters=teacher.parameters,
        macs=None,
        epochs=0,
        seed=None,
    ).write(paths.metrics(NAME))


def _write_ensemble(
    members: Mapping[str, TrainedNetwork],
    setup: TrainingSetup,
    dataset: PreparedDataset,
    paths: ProjectPaths,
) -> None:
    images, labels = dataset.images("validation"), dataset.labels("validation")
    passes = [ForwardPass(member.model) for member in members.values()]
    all_confusions = [_new_confusions(dataset) for _ in range(1 + len(passes))]
    losses, counts = [], []
    for part in passes[0].parts(len(images)):
        logits = [run.logits(images[part])[-1] for run in passes]
        logits.insert(0, mean_logits(logits))
        for confusions, some in zip(all_confusions, logits, strict=True):
            confusions.add([some.argmax(axis=-1)], labels[part])
        losses.append(float(LabelLossSum(dataset.ignore_label)(logits[0], labels[part])))
        counts.append(int(np.count_nonzero(counted(labels[part], dataset.ignore_label))))
    scores, *each = (confusions.scores() for confusions in all_confusions)
    print(
        f"ensemble of {len(members)}: validation {_metric_text(setup, dataset, scores)}, its "
        "members " + ", ".join(f"{scores.score(setup.metric):.2%}" for scores in each)
    )
    with atomic_folder(paths.teacher) as partial:
        for name, member in members.items():
            save_model(partial / name, member.model)
        write_json(partial / DESCRIPTION, {"members": list(members)})
    trained = list(members.values())
    history = mean_history([member.history for member in trained])
    write_history(paths.plot(NAME), history)
    schedule = trained[0].run.schedule
    Training(
        validation=TrainedScores(**scores.present(), loss=round(mean_loss(losses, counts), 6)),
        parameters=sum(member.model.count_parameters() for member in trained),
        macs=(sum(member.model.macs()[-1] for member in trained),),
        epochs=schedule.last_epoch,
        seed=schedule.seed,
        trend=trend_of(history) if schedule.is_complete else None,
        members=tuple(
            Member(
                accuracy=scores.accuracy[0],
                loss=member.history[-1]["validation_loss"],
                seed=member.run.schedule.seed,
            )
            for member, scores in zip(trained, each, strict=True)
        ),
    ).write(paths.metrics(NAME))
    for member in trained:
        member.remove_checkpoints()


def _new_confusions(dataset: PreparedDataset) -> ExitConfusions:
    """Counts for every score on the validation split that a student's training has, too."""
    return ExitConfusions(dataset.num_classes, ignore_label=dataset.ignore_label)


def _metric_text(setup: TrainingSetup, dataset: PreparedDataset, scores: ExitScores) -> str:
    metric = metric_of(task_of(dataset.task), setup.metric)
    return f"{metric.name} {scores.score(metric.key):.2%}"
