"""A trial of a search: the params that it runs with, what it reached, the limits it breaks."""

from pathlib import Path
from typing import Any, Self

from kdtasks.compress.tflite.estimated_latency import NotEstimatedError, benchmark_at
from kdtasks.core.latency import Latency, statistic_name
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.training import Training
from kdtasks.data.prepared import open_prepared
from kdtasks.evaluate.parity import parity_problem
from kdtasks.orchestrate.search.candidates import Candidate
from kdtasks.orchestrate.sweep.grid import Draft, ParamsFile, Point, readable_name, short_digest
from kdtasks.orchestrate.sweep.results import Result
from kdtasks.params import AFTER_EXPORT, Params
from kdtasks.params.search import SearchParams
from kdtasks.report.selection import Violation, violations

# What a file answers: another of the same size may be better.
ACCURACY, PARITY = "max_accuracy_drop", "parity"

# What a trial does not depend on, so that other limits are no other trial.
_WITHOUT_INFLUENCE: dict[str, Any] = dict.fromkeys(AFTER_EXPORT - {"evaluate"}, True)
_WITHOUT_INFLUENCE["benchmark"] = {"devices"}  # of which `select.device` is the one that counts


class TrialResult(Result):
    """Metrics of a trial: of the validation split with early exits, and of the file.

    The accuracy is that of `evaluate.metric`: of masks their mean IoU, for without a single object
    most pixels may be right.
    All are None but `refused` where the variant could not be built.
    """

    refused: str | None = None
    parity: str | None = None  # why its file is too far from its network
    accuracy: float | None = None
    accuracy_drop: float | None = None  # against the float32 student that it was made of
    bytes: int | None = None  # at most, with thresholds and class names inside
    gzip_bytes: int | None = None
    latency_ms: Latency | None = None
    macs: float | None = None  # to the last exit, as a fraction of the student's
    seconds: float | None = None  # that it took, with the start of its processes
    cached: bool = False  # whether its file came out of DVC's cache

    @classmethod
    def read(cls, folder: Path, params: Params) -> Self:
        """Read the metrics where the trial ran, and time its bundle as the benchmark does.

        Raises:
            KdTasksError: a file is missing or damaged.
        """
        (variant,), paths = params.compress.variants, ProjectPaths(folder)
        compressed = Compressed.read_or_refusal(paths.metrics("compress", variant))
        exits = Calibration.read_or_refusal(paths.calibration(variant))
        if isinstance(compressed, Refusal):
            return cls(refused=compressed.refused)
        if problem := parity_problem(compressed.parity, params.compress.parity):
            return cls(parity=problem)  # which is why there are no thresholds and no bundle
        if isinstance(exits, Refusal):
            return cls(refused=exits.refused)
        student = Training.read(paths.metrics("distill", compressed.base_seed))
        metric = params.metric.key
        score = exits.validation.score(metric)
        return cls(
            accuracy=score,
            accuracy_drop=student.validation.score(metric) - score,
            bytes=compressed.bytes,
            gzip_bytes=compressed.gzip_bytes,
            latency_ms=time_bundle(paths, params, variant),
            # a distilled student always tells its compute
            macs=compressed.macs[-1] / student.macs[-1] if student.macs else None,
        )


def time_bundle(paths: ProjectPaths, params: Params, variant: str) -> Latency | None:
    """Time a variant's bundle where `select` does, on the images that the benchmark takes.

    Returns: None where an accelerator would leave the work to the processor.
    """
    settings = params.benchmark
    images = open_prepared(paths.prepared).timed_images(settings.images)
    bundles = [paths.bundle(variant)]
    try:
        run = benchmark_at(params.select.device, bundles, images, settings.timing)
    except NotEstimatedError:
        return None
    return run.bundles[0].latency_ms


def make_trial(text: str, candidate: Candidate) -> Point:
    """Put a candidate into the text of a params file.

    Raises:
        ParamsError: what comes out is not valid.
    """
    label = candidate.label
    settings = {"compress.variants": [candidate.variant], **candidate.settings}
    draft = Draft(ParamsFile(text), settings)
    params = draft.params(f"trial {label}")
    identity = params.model_dump(mode="json", exclude=_WITHOUT_INFLUENCE)
    if params.select.device:
        identity["device"] = params.select.device
    digest = short_digest(identity)
    name = readable_name(f"search-{label}")
    return Point(label, settings, params, draft, f"{name}-{digest}")


def broken_limits(
    result: TrialResult, limits: SearchParams, metric: str = "accuracy"
) -> list[Violation]:
    """The limits that a trial breaks, each with the factor by which it does and in words.

    Args: `metric` is the name of what trials are compared by.
    """
    if result.refused:
        return [Violation("refused", float("inf"), f"refused: {result.refused}")]
    if result.parity:
        return [Violation(PARITY, float("inf"), result.parity)]
    statistic = limits.latency_statistic
    latency = result.latency_ms.of(statistic) if result.latency_ms else None
    measured = {
        "max_size_kb": ("size", _kb(result.bytes)),
        "max_gzip_kb": ("gzipped size", _kb(result.gzip_bytes)),
        "max_latency_ms": (f"{statistic_name(statistic)} latency", latency),
        "max_macs": ("fraction of compute", result.macs),
        "max_accuracy_drop": (f"drop in validation {metric}", result.accuracy_drop),
    }
    return violations(limits, measured)


def metrics(result: TrialResult) -> dict[str, Any]:
    """What `dvc exp show` lists of a trial, under names that no other metrics have."""
    found = result.model_dump(exclude_none=True, exclude={"cached", "bytes", "gzip_bytes"})
    sizes = {"size_kb": _kb(result.bytes), "gzip_kb": _kb(result.gzip_bytes)}
    return found | {name: size for name, size in sizes.items() if size is not None}


def _kb(count: int | None) -> float | None:
    return None if count is None else count / 1000
