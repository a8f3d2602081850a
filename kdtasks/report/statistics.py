"""Gather the numbers of the page from the files."""

from collections.abc import Mapping

from kdtasks.core.records import Refusal
from kdtasks.core.records.data import NO_LABELS
from kdtasks.core.records.evaluate import Comparison, Evaluation, ReliabilityBin
from kdtasks.core.records.report import (
    Curve,
    ExitChange,
    ModelSummary,
    Statistics,
    VariantSummary,
)
from kdtasks.core.records.training import Training
from kdtasks.evaluate.comparison import verdict_of
from kdtasks.learn.training.trend import still_rising
from kdtasks.report.inputs import ReportInputs, ReportSettings, Rows, VariantInputs, complete, known
from kdtasks.report.sentences import can_do_without_teacher
from kdtasks.report.slices import slice_summaries

CURVES = (
    "accuracy",
    "loss",
    "validation_accuracy",
    "validation_balanced_accuracy",
    "validation_macro_f1",
    "validation_mean_iou",
    "validation_loss",
)

PACKAGES = (
    "kdtasks",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "dvc",
    "numpy",
)


# In the place of the test scores of a model that has none.
_UNTESTED = {
    "teacher": Refusal(refused="not tested: its file lacks answers to test images"),
    "student": Refusal(refused=NO_LABELS),
}


def gather_statistics(inputs: ReportInputs, settings: ReportSettings) -> Statistics:
    """Gather all numbers of the page but the timings; a refusal stands for what is missing."""
    compare = inputs.compare
    tested, targets = known(compare), known(inputs.targets)
    models = {name: _model(compare, name, found) for name, found in inputs.trainings.items()}
    starts = [known(training) for training in inputs.trainings["distill"].values()]
    return Statistics(
        recipe=settings.recipe,
        task=settings.task,
        metric=settings.metric,
        seeds=settings.seeds,
        confidence=settings.confidence,
        rows=tested.rows if tested else None,
        data=inputs.dataset,
        teacher=models["teacher"],
        student=models["student"],
        distill=models["distill"],
        start=starts[0].start if starts and starts[0] else None,
        gain=compare if isinstance(compare, Refusal) else compare.gain,
        teacher_worse_than_student=bool(tested and tested.teacher_worse_than_student),
        teacher_has_weight=settings.teacher_has_weight
        or not can_do_without_teacher(inputs.labels, inputs.dataset),
        labels=inputs.labels,
        unlabelled=targets.unlabelled if targets else None,
        prospect=inputs.prospect,
        arms=tested.arms if tested else {},
        training={name: mean_curves(curves) for name, curves in inputs.curves.items()},
        exit_names=(*settings.exits, "last"),
        variants={name: _variant(files) for name, files in inputs.variants.items()},
        sensitivity=inputs.sensitivity,
        versions=versions(),
        slices=slice_summaries(inputs, settings),
    )


def mean_curves(curves: Mapping[int | None, Rows]) -> dict[str, Curve]:
    """Average learning curves over seeds, by column.

    Only epochs at which every seed has a number are kept.
    """
    by_column: dict[str, Curve] = {}
    for column in CURVES:
        by_epoch = [
            {int(epoch): value for epoch, value in complete(rows, "epoch", column)}
            for rows in curves.values()
            if any(column in row for row in rows)
        ]
        epochs = sorted(set.intersection(*map(set, by_epoch))) if by_epoch else []
        if epochs:
            values = [[curve[epoch] for curve in by_epoch] for epoch in epochs]
            by_column[column] = Curve(
                epoch=tuple(epochs),
                mean=tuple(sum(row) / len(row) for row in values),
                low=tuple(map(min, values)),
                high=tuple(map(max, values)),
                seeds=len(by_epoch),
            )
    return by_column


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _untested(name: str, compare: Comparison) -> Refusal:
    if name == "teacher" and compare.labels_from:
        return Refusal(refused="its own answers stand in the place of labels")
    return _UNTESTED[name]


def _model(
    compare: Comparison | Refusal, name: str, trained: Mapping[int | None, Training | Refusal]
) -> ModelSummary:
    """Join a model's test scores with what training says of it; seeds have one size."""
    tested = compare
    if isinstance(compare, Comparison):
        tested = getattr(compare, name) or _untested(name, compare)
    trainings = [training for training in map(known, trained.values()) if training]
    first = trainings[0] if trainings else None
    accuracies = [training.validation.accuracy[-1] for training in trainings]
    return ModelSummary(
        **tested.present(),
        parameters=first.parameters if first else None,
        epochs=first.epochs if first else None,
        macs=first.macs[-1] if first and first.macs else None,
        validation_accuracy=sum(accuracies) / len(accuracies) if accuracies else None,
        rise=still_rising([training.trend for training in trainings if training.trend]),
    )


def _variant(files: VariantInputs) -> VariantSummary:
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
        parity=compress.parity if compress else None,
        test=files.evaluate,
        exit_change=_exit_change(known(files.evaluate)),
        calibration=files.calibration,
        tradeoff=tuple(
            sorted(
                (cost, accuracy)
                for cost, accuracy in complete(files.tradeoff, "cost", "accuracy")
                if cost
            )
        ),
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


def _reliability(rows: Rows) -> tuple[tuple[ReliabilityBin, ...], ...]:
    """The bins of each exit, as `evaluate` wrote them."""
    bins: list[list[ReliabilityBin]] = []
    for index, confidence, accuracy, count in complete(
        rows, "exit", "confidence", "accuracy", "rows"
    ):
        bins.extend([] for _ in range(int(index) + 1 - len(bins)))
        bins[int(index)].append(
            ReliabilityBin(confidence=confidence, accuracy=accuracy, rows=int(count))
        )
    return tuple(map(tuple, bins))
