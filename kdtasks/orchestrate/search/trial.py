"""The variants that a search tries, from the cheapest to make to the most expensive."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.tflite.estimated_latency import NotEstimatedError, benchmark_at
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.core.latency import Latency, statistic_name
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.training import Training
from kdtasks.data.prepared import open_prepared
from kdtasks.evaluate.parity import parity_problem
from kdtasks.orchestrate.sweep.grid import Draft, ParamsFile, Point, readable_name, short_digest
from kdtasks.params import AFTER_EXPORT, Params
from kdtasks.params.search import SearchParams
from kdtasks.report.selection import Violation, violations

# Fractions of the filters for limits that are not searched for: of a size after gzip, and of a
# latency with early exits.
GROWING_RATIOS = (0.25, 0.5, 0.75)

# What a file answers: another of the same size may be better.
ACCURACY, PARITY = "max_accuracy_drop", "parity"

# Timings differ from one to the next: the search leaves a twentieth of the limit to spare.
LATENCY_MARGIN = 0.95

# What a trial does not depend on, so that other limits are no other trial.
_WITHOUT_INFLUENCE: dict[str, Any] = dict.fromkeys(AFTER_EXPORT - {"evaluate"}, True)
_WITHOUT_INFLUENCE["benchmark"] = {"devices"}  # of which `select.device` is the one that counts


class Candidate(NamedTuple):
    """One variant and its settings.

    Attributes:
        like: the candidate whose file has the same size, speed and compute, but for the limits
            named in `may_change`; where that one breaks a limit, so will this one.
        only_if_over: the candidate that has to break a limit other than the accuracy's for this one
            to make sense: its filters are removed.
        only_if_faster: two candidates of which the first has to be faster than the second.
    """

    label: str
    variant: str
    settings: dict[str, Any]
    epochs: int  # of training
    like: str | None = None
    may_change: frozenset[str] = frozenset()
    only_if_over: str | None = None
    only_if_faster: tuple[str, str] | None = None


def search_space(
    limits: SearchParams, compress: CompressParams, *, early_exits: bool, device: str | None = None
) -> list[Candidate]:
    """List what to try: conversions, then short trainings, then filters removed as well.

    How many filters go is searched for by `compress.passes.filters.target`: just as many as the
    limits on size, compute and worst-case latency ask for. Other latencies depend on where images
    leave, or on a device, which is known of the finished file alone: growing fractions are tried
    for these. `device` is where latency is measured, None for this machine.
    """
    gzipped, timed = limits.max_gzip_kb is not None, limits.max_latency_ms is not None
    by_exits = early_exits and limits.latency_statistic != "worst"
    in_the_end = timed and (by_exits or device is not None)
    on_blocks = "space_to_depth+int8"
    faster: dict[str, Any] = {"only_if_faster": (on_blocks, "int8")}
    time, gzip = frozenset({"max_latency_ms"}), frozenset({"max_gzip_kb"})
    sizes = time | gzip | {"max_size_kb"}
    fractions = list(_filter_fractions(limits, in_the_end=in_the_end))
    found: list[Candidate] = []

    def add(
        variant: str,
        *,
        when: bool = True,
        like: str | None = None,
        may_change: frozenset[str] = frozenset(),
        **fields: Any,
    ) -> None:
        """A variant; one that removes filters is there once for each fraction of them."""
        if not when:
            return
        if in_the_end and like:
            may_change |= time  # other weights, other thresholds
        trainings, _ = compress.passes.of(check_variant(variant))
        epochs = sum(training.epochs for training in trainings)
        for note, settings in fractions if variant.startswith("filters+") else [("", {})]:
            same = like and f"{like}{note if like.startswith('filters+') else ''}"
            found.append(
                Candidate(
                    f"{variant}{note}",
                    variant,
                    settings,
                    epochs,
                    like=same,
                    may_change=may_change,
                    **fields,
                )
            )

    add("float32")
    for item in number_formats:
        if item.name != "float32":
            like = item.same_size_as
            add(item.name, like=like or "float32", may_change=time if like else sizes)
    add(on_blocks, when=timed, like="int8", may_change=sizes)
    add("qat+int8", like="int8")
    add(f"qat+{on_blocks}", when=timed, like=on_blocks, **faster)
    for passes in ("cluster", "magnitude", "cluster+qat"):
        add(f"{passes}+int8", when=gzipped, like="int8", may_change=gzip)
    add("filters+int8", only_if_over="int8")
    add("filters+float16", when=timed, only_if_over="float16")
    add(f"filters+{on_blocks}", when=timed, only_if_over=on_blocks, **faster)
    small: dict[str, Any] = {"like": "filters+int8", "only_if_over": "int8"}
    add("filters+cluster+int8", when=gzipped, may_change=gzip, **small)
    add("filters+qat+int8", **small)
    blocks: dict[str, Any] = {"like": f"filters+{on_blocks}", "only_if_over": on_blocks, **faster}
    add(f"filters+qat+{on_blocks}", when=timed, **blocks)
    return found


def _filter_fractions(
    limits: SearchParams, *, in_the_end: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """How many filters go: as many as the limits ask for, or growing fractions.

    `in_the_end`: whether the latency that is limited is known of the finished file alone.
    """
    filters, latency = "compress.passes.filters", limits.max_latency_ms
    goals = {
        "size_kb": limits.max_size_kb,
        "macs": limits.max_macs,
        "worst_latency_ms": None if in_the_end else latency and latency * LATENCY_MARGIN,
    }
    stated = {name: goal for name, goal in goals.items() if goal is not None}
    if stated:
        yield "", {f"{filters}.target": stated}
    for ratio in GROWING_RATIOS if in_the_end or limits.max_gzip_kb is not None else ():
        yield f", ratio {ratio}", {f"{filters}.ratio": ratio, f"{filters}.target": None}


class Budget:
    """Counts from the first trial on."""

    def __init__(self, minutes: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = 60 * minutes, now
        self._begun: float | None = None

    def begin(self) -> None:
        """Let the clock run; it runs on where it does already."""
        if self._begun is None:
            self._begun = self._now()

    @property
    def left(self) -> float:
        """Seconds left, 0 or more."""
        spent = 0.0 if self._begun is None else self._now() - self._begun
        return max(0.0, self._seconds - spent)


def expected_seconds(epochs: int, taken: Iterable[tuple[int, float]]) -> float | None:
    """Estimate how long a trial takes from those that ran.

    A trial takes what a conversion takes, and for every epoch of its training what an epoch took in
    the others: the median of either.

    Args:
        epochs: of training that it has.
        taken: epochs and seconds of the trials that ran.

    Returns: seconds; None where nothing like it has run yet.
    """
    trials = list(taken)
    conversions = [seconds for count, seconds in trials if count == 0]
    conversion = statistics.median(conversions) if conversions else 0.0
    if epochs == 0:
        return conversion if conversions else None
    rates = [max(0.0, seconds - conversion) / count for count, seconds in trials if count]
    return conversion + epochs * statistics.median(rates) if rates else None


class TrialResult(NamedTuple):
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
        found = Compressed.read_or_refusal(paths.metrics("compress", variant))
        exits = Calibration.read_or_refusal(paths.calibration(variant))
        if isinstance(found, Refusal):
            return cls(refused=found.refused)
        if problem := parity_problem(found.parity, params.compress.parity):
            return cls(parity=problem)  # which is why there are no thresholds and no bundle
        if isinstance(exits, Refusal):
            return cls(refused=exits.refused)
        student = Training.read(paths.metrics("distill", found.base_seed))
        metric = params.metric.key
        score = exits.validation.score(metric)
        return cls(
            accuracy=score,
            accuracy_drop=student.validation.score(metric) - score,
            bytes=found.bytes,
            gzip_bytes=found.gzip_bytes,
            latency_ms=time_bundle(paths, params, variant),
            # a distilled student always tells its compute
            macs=found.macs[-1] / student.macs[-1] if student.macs else None,
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
    found = result._asdict()
    del found["cached"], found["bytes"], found["gzip_bytes"]
    found |= {"size_kb": _kb(result.bytes), "gzip_kb": _kb(result.gzip_bytes)}
    return {name: value for name, value in found.items() if value is not None}


def _kb(count: int | None) -> float | None:
    return None if count is None else count / 1000
