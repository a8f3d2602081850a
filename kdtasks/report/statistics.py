"""Gather the numbers of the page from the files."""

from collections.abc import Mapping, Sequence

from kdtasks.core.records import Refusal
from kdtasks.core.records.data import Dataset
from kdtasks.core.records.evaluate import Comparison, Evaluation
from kdtasks.core.records.report import (
    Curve,
    DatasetSummary,
    ExitChange,
    ModelSummary,
    ReliabilityBin,
    Statistics,
    VariantSummary,
)
from kdtasks.core.records.training import Training
from kdtasks.evaluate.comparison import verdict_of
from kdtasks.report.contents import Columns, Contents, ReportSettings, VariantContents, known

CURVES = ("accuracy", "loss", "validation_accuracy", "validation_mean_iou", "validation_loss")

PACKAGES = (
    "kdtasks",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "dvc",
    "numpy",
)


def gather_statistics(contents: Contents, settings: ReportSettings) -> Statistics:
    """Gather all numbers of the page but the timings; a refusal stands for what is not there."""
    compare = contents.compare
    tested = known(compare)
    distilled = list(contents.distill.values())
    first = known(distilled[0]) if distilled else None
    return Statistics(
        recipe=settings.recipe,
        task=settings.task,
        seeds=settings.seeds,
        confidence=settings.confidence,
        rows=tested.rows if tested else None,
        data=_data(contents.dataset),
        teacher=_model(compare, "teacher", [contents.teacher]),
        student=_model(compare, "student", list(contents.student.values())),
        distill=_model(compare, "distill", distilled),
        start=first.start if first else None,
        gain=compare if isinstance(compare, Refusal) else compare.gain,
        teacher_worse_than_student=bool(tested and tested.teacher_worse_than_student),
        training={
            "teacher": mean_curves({settings.teacher_seed: contents.teacher_curve}),
            "student": mean_curves(contents.student_curves),
            "distill": mean_curves(contents.distill_curves),
        },
        exit_names=(*settings.exits, "last"),
        variants={name: _variant(files) for name, files in contents.variants.items()},
        sensitivity=contents.sensitivity,
        versions=versions(),
    )


def mean_curves(curves: Mapping[int, Columns]) -> dict[str, Curve]:
    """Average learning curves over seeds, by column.

    Only epochs at which every seed has a number are kept.
    """
    found: dict[str, Curve] = {}
    for column in CURVES:
        by_epoch = [
            {
                int(epoch): value
                for epoch, value in zip(curve["epoch"], curve[column], strict=True)
                if epoch is not None and value is not None
            }
            for curve in curves.values()
            if column in curve and "epoch" in curve
        ]
        epochs = sorted(set.intersection(*map(set, by_epoch))) if by_epoch else []
        if epochs:
            values = [[curve[epoch] for curve in by_epoch] for epoch in epochs]
            found[column] = Curve(
                epoch=tuple(epochs),
                mean=tuple(sum(row) / len(row) for row in values),
                low=tuple(min(row) for row in values),
                high=tuple(max(row) for row in values),
                seeds=len(by_epoch),
            )
    return found


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _model(
    compare: Comparison | Refusal, name: str, trained: Sequence[Training | Refusal]
) -> ModelSummary:
    """Join a model's test scores with what training says of it; seeds share their size."""
    tested = compare if isinstance(compare, Refusal) else getattr(compare, name)
    trainings = [training for training in map(known, trained) if training]
    first = trainings[0] if trainings else None
    accuracies = [training.validation.accuracy[-1] for training in trainings]
    return ModelSummary(
        **tested.present(),
        parameters=first.parameters if first else None,
        macs=first.macs[-1] if first and first.macs else None,
        epochs=first.epochs if first else None,
        validation_accuracy=sum(accuracies) / len(accuracies) if accuracies else None,
    )


def _variant(files: VariantContents) -> VariantSummary:
    compress, export = known(files.compress), known(files.export)
    return VariantSummary(
        refused=files.refused,
        base_seed=compress.base_seed if compress else None,
        bytes=export.bytes if export else None,
        gzip_bytes=export.gzip_bytes if export else None,
        parameters=compress.parameters if compress else None,
        nonzero_parameters=compress.nonzero_parameters if compress else None,
        macs=compress.macs if compress else (),
        validation_accuracy=compress.validation.accuracy[-1] if compress else None,
        test=files.evaluate,
        exit_change=_exit_change(known(files.evaluate)),
        calibration=files.calibration,
        tradeoff=_tradeoff(files.tradeoff),
        reliability=_reliability(files.reliability),
    )


def _exit_change(test: Evaluation | None) -> ExitChange | None:
    """What early exits cost on the test split; None for a network without early exits."""
    if not test or not test.exits or len(test.exits) < 2 or not test.full or not test.changed:
        return None
    return ExitChange(
        mean=test.accuracy - test.full.accuracy,
        interval=test.changed.interval,
        verdict=verdict_of(test.changed.interval),
        cost=test.cost,
    )


def _tradeoff(columns: Columns) -> tuple[tuple[float, float], ...]:
    pairs = zip(columns.get("cost", []), columns.get("accuracy", []), strict=True)
    return tuple(
        sorted((cost, accuracy) for cost, accuracy in pairs if cost and accuracy is not None)
    )


def _reliability(columns: Columns) -> tuple[tuple[ReliabilityBin, ...], ...]:
    """The bins of each exit, as `evaluate` wrote them."""
    names = ("confidence", "accuracy", "rows")
    found: list[list[ReliabilityBin]] = []
    for values in zip(*(columns.get(name, []) for name in ("exit", *names)), strict=True):
        index, *figures = (value for value in values if value is not None)
        if len(figures) == len(names):
            found.extend([] for _ in range(int(index) + 1 - len(found)))
            found[int(index)].append(ReliabilityBin(**dict(zip(names, figures, strict=True))))
    return tuple(map(tuple, found))


def _data(dataset: Dataset | Refusal) -> DatasetSummary | Refusal:
    if isinstance(dataset, Refusal):
        return dataset
    return DatasetSummary(
        name=dataset.name,
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        counts=dataset.counts,
        duplicates=len(dataset.duplicates),
        contradictions=dataset.contradictions,
        excluded=dataset.excluded,
        split_by=dataset.split_by,
        ignore_label=dataset.ignore_label,
    )
