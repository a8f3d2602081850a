"""Gather the figures of the page from the files: the content of `statistics.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdtasks.evaluate.comparison import judge
from kdtasks.evaluate.intervals import difference_interval
from kdtasks.report.contents import (
    Columns,
    Content,
    Contents,
    ReportSettings,
    VariantContents,
    last,
)

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


def gather_statistics(contents: Contents, settings: ReportSettings) -> dict[str, Any]:
    """Gather all figures of the page, timings only under `latency`, which `statistics.json` omits.

    Whatever a stage refused, or is not there, is {"refused": reason} in its place.
    """
    compare = contents.compare
    missing = {"refused": compare["refused"]} if "refused" in compare else None
    return {
        "recipe": settings.recipe,
        "task": settings.task,
        "seeds": list(settings.seeds),
        "confidence": settings.confidence,
        "rows": compare.get("rows"),
        "data": _data(contents.dataset),
        "teacher": _model(missing or compare.get("teacher", {}), [contents.teacher]),
        "student": _model(missing or compare.get("student", {}), list(contents.student.values())),
        "distill": _model(missing or compare.get("distill", {}), list(contents.distill.values())),
        "start": next(iter(contents.distill.values()), {}).get("start"),
        "gain": missing or compare.get("gain", {"refused": "metrics/compare.json has no gain"}),
        "teacher_worse_than_student": bool(compare.get("teacher_worse_than_student")),
        "training": {
            "teacher": mean_curves({settings.teacher_seed: contents.teacher_curve}),
            "student": mean_curves(contents.student_curves),
            "distill": mean_curves(contents.distill_curves),
        },
        "exit_names": [*settings.exits, "last"],
        "variants": {name: _variant(files) for name, files in contents.variants.items()},
        "latency": {name: _latency(files.benchmark) for name, files in contents.variants.items()},
        "sensitivity": contents.sensitivity,
        "versions": versions(),
    }


def mean_curves(curves: Mapping[int, Columns]) -> dict[str, Any]:
    """Average learning curves over seeds: {column: {`epoch`, `mean`, `low`, `high`}}.

    Only epochs at which every seed has a number are kept; `low` and `high` are the least and the
    largest of the seeds.
    """
    found: dict[str, Any] = {}
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
            found[column] = {
                "epoch": epochs,
                "mean": [sum(row) / len(row) for row in values],
                "low": [min(row) for row in values],
                "high": [max(row) for row in values],
                "seeds": len(by_epoch),
            }
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


def _model(tested: Content, trained: Sequence[Content]) -> Content:
    """Join a model's test accuracy with what training says of it; seeds share their size."""
    first = next((metrics for metrics in trained if "refused" not in metrics), {})
    accuracies = [last(metrics, "validation", "accuracy") for metrics in trained]
    known = [value for value in accuracies if value is not None]
    return {
        **tested,
        "parameters": first.get("parameters"),
        "macs": last(first, "macs"),
        "epochs": first.get("epochs"),
        "validation_accuracy": sum(known) / len(known) if known else None,
    }


def _variant(files: VariantContents) -> Content:
    refusals = [
        file["refused"]
        for file in (files.compress, files.calibration, files.export, files.evaluate)
        if "refused" in file
    ]
    compress, evaluate = files.compress, files.evaluate
    return {
        "refused": refusals[0] if refusals else None,
        "base_seed": compress.get("base_seed"),
        "bytes": files.export.get("bytes"),
        "gzip_bytes": files.export.get("gzip_bytes"),
        "parameters": compress.get("parameters"),
        "nonzero_parameters": compress.get("nonzero_parameters"),
        "macs": compress.get("macs", []),
        "validation_accuracy": last(compress, "validation", "accuracy"),
        "test": evaluate,
        "exit_change": _exit_change(evaluate),
        "calibration": files.calibration,
        "tradeoff": _tradeoff(files.tradeoff),
        "reliability": _reliability(files.reliability),
    }


def _exit_change(evaluate: Content) -> Content | None:
    """What early exits cost on the test split; None for a network without early exits.

    The interval takes the two accuracies as independent, though they share rows: it is too wide,
    so "cannot tell" is said too often rather than too seldom.
    """
    full = evaluate.get("full") or {}
    known = all(
        figures.get(key) for figures in (evaluate, full) for key in ("accuracy", "interval")
    )
    if len(evaluate.get("exits") or []) < 2 or not known or not evaluate.get("cost"):
        return None
    interval = difference_interval(
        evaluate["accuracy"], evaluate["interval"], full["accuracy"], full["interval"]
    )
    return {
        "mean": evaluate["accuracy"] - full["accuracy"],
        "interval": list(interval),
        "verdict": judge(interval),
        "cost": evaluate["cost"],
    }


def _tradeoff(columns: Columns) -> list[list[float]]:
    pairs = zip(columns.get("cost", []), columns.get("accuracy", []), strict=True)
    return sorted([cost, accuracy] for cost, accuracy in pairs if cost and accuracy is not None)


def _reliability(columns: Columns) -> list[list[dict[str, float]]]:
    """The bins of each exit, as `evaluate` wrote them."""
    names = ("confidence", "accuracy", "rows")
    found: list[list[dict[str, float]]] = []
    for values in zip(*(columns.get(name, []) for name in ("exit", *names)), strict=True):
        if None not in values:
            index, *figures = values
            found.extend([] for _ in range(int(index) + 1 - len(found)))
            found[int(index)].append(dict(zip(names, figures, strict=True)))
    return found


def _latency(benchmark: Content) -> Content:
    if "refused" in benchmark:
        return {"refused": benchmark["refused"]}
    return {
        **benchmark.get("latency_ms", {}),
        "full": benchmark.get("full_ms", {}),
        "exit_ms": benchmark.get("exit_ms", []),
        "peak_memory_mb": benchmark.get("peak_memory_mb"),
        "threads": benchmark.get("threads"),
        "runs": benchmark.get("runs"),
        "cpu": benchmark.get("cpu"),
    }


def _data(dataset: Content) -> Content:
    if "refused" in dataset:
        return dataset
    ignored = dataset.get("ignore_label")
    return {
        "name": dataset.get("name"),
        "class_names": dataset.get("class_names", []),
        "image_shape": dataset.get("image_shape", []),
        "counts": dataset.get("counts", {}),
        "duplicates": len(dataset.get("duplicates", [])),
        "contradictions": dataset.get("contradictions", []),
        "left_out": dataset.get("left_out", []),
        "split_by": dataset.get("split_by"),
        **({} if ignored is None else {"ignore_label": ignored}),
    }
