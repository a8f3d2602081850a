"""Choose the variant to ship by the limits of `params.yaml`, on validation metrics alone."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from kdtasks.core.latency import Statistic, statistic_name
from kdtasks.core.limits import is_within
from kdtasks.core.records.report import (
    CandidateSummary,
    Limits,
    Selection,
    Statistics,
    Summary,
    VariantMetrics,
)
from kdtasks.core.records.training import Training
from kdtasks.core.settings import Section
from kdtasks.core.text import kilobytes, milliseconds, percent, points
from kdtasks.report.inputs import ReportInputs, SelectParams, known
from kdtasks.report.sentences import metric_on

SUPERLATIVES = {
    "size": "smallest",
    "latency": "fastest",
    "size_and_latency": "smallest for its speed",
    "accuracy": "most accurate",
}

# What is not faster by more than this fraction is not called so: timings move by as much.
_FASTER = 0.1


class Violation(NamedTuple):
    """A limit that a candidate breaks, and by what factor."""

    limit: str
    factor: float
    reason: str


def _in_kilobytes(size: float) -> str:
    return kilobytes(size * 1000)


# How each limit is written.
_UNITS: dict[str, Callable[[float], str]] = {
    "max_size_kb": _in_kilobytes,
    "max_gzip_kb": _in_kilobytes,
    "max_arena_kb": _in_kilobytes,
    "max_latency_ms": milliseconds,
    "max_macs": percent,
    "max_accuracy_drop": partial(points, signed=False),
    "max_agreement_drop": partial(points, signed=False),
}


def violations(
    limits: Section, measured: Mapping[str, tuple[str, float | None]]
) -> list[Violation]:
    """The limits that are broken; a metric that was not measured breaks its limit beyond bounds.

    Args:
        limits: params with a limit, or None, under each key of `measured`.
        measured: limit to the metric in words, and its value.
    """
    broken = []
    for limit, (what, value) in measured.items():
        most, write = getattr(limits, limit), _UNITS[limit]
        if most is None:
            continue
        if value is None:
            broken.append(Violation(limit, math.inf, f"{what} was not measured"))
        elif not is_within(value, most):
            # A limit of 0 points has no factor: a tenth of a point stands in for it.
            factor = value / max(most, 1e-3)
            reason = f"{what}, {write(value)}, is over {write(most)} ({limit})"
            broken.append(Violation(limit, factor, reason))
    return broken


def candidates_of(
    inputs: ReportInputs, metric: str, device: str | None = None
) -> dict[str, VariantMetrics]:
    """Collect the candidates: validation score as shipped, with early exits, bytes, latency.

    The drop is taken against the last exit of the distilled student that `compress` started from.

    Args:
        metric: key of what variants are compared by.
        device: where latency is judged; None for this machine.
    """
    return {variant: _candidate(inputs, variant, metric, device) for variant in inputs.variants}


def select(
    candidates: dict[str, VariantMetrics], limits: SelectParams, what: str = "accuracy"
) -> Selection:
    """Choose the best variant within the limits, or the nearest miss in words.

    `what` is the name of what variants are compared by.

    Ties go to the smaller, then the more accurate, then the one listed first.
    """
    broken = {name: _violations(candidate, limits, what) for name, candidate in candidates.items()}
    within = [name for name in candidates if not broken[name]]
    chosen = min(within, key=lambda name: _rank(candidates[name], limits)) if within else None
    fitting = {name: candidates[name] for name in within}
    reason = _reason(chosen, fitting, limits, what) if chosen else ""
    return Selection(
        chosen=chosen,
        objective=limits.objective,
        limits=Limits(**limits.model_dump(exclude={"objective"})),
        candidates={
            name: CandidateSummary(
                **dict(candidate),
                within=not broken[name],
                reasons=tuple(violation.reason for violation in broken[name]),
            )
            for name, candidate in candidates.items()
        },
        pareto=tuple(pareto_front(candidates, limits.latency_statistic)),
        nearest=None if chosen else nearest_miss(broken),
        sentence=f"{chosen} is shipped: {reason}." if chosen else _nothing_fits(broken),
        reason=reason,
    )


def pareto_front(candidates: dict[str, VariantMetrics], statistic: Statistic) -> list[str]:
    """List the variants that no other one beats on validation accuracy, bytes, latency and MACs.

    A latency, by `statistic`, or a compute that was not measured counts as the worst.
    """
    costs = {
        name: (
            -candidate.accuracy,
            float(candidate.bytes),
            _latency(candidate, statistic) or math.inf,
            math.inf if candidate.macs is None else candidate.macs,
        )
        for name, candidate in candidates.items()
        if not candidate.refused and candidate.accuracy is not None and candidate.bytes is not None
    }
    return [
        name
        for name, own in costs.items()
        if not any(
            other != own and all(a <= b for a, b in zip(other, own, strict=True))
            for other in costs.values()
        )
    ]


def _candidate(
    inputs: ReportInputs, variant: str, metric: str, device: str | None
) -> VariantMetrics:
    files = inputs.variants[variant]
    compress, calibration = known(files.compress), known(files.calibration)
    export, benchmark = known(files.export), known(files.benchmark)
    timed = benchmark.on(device) if benchmark else None
    base = inputs.trainings["distill"].get(compress.base_seed) if compress else None
    validation = calibration.validation if calibration else None
    score = validation.score(metric) if validation else None
    return VariantMetrics(
        refused=files.refused,
        accuracy=score,
        accuracy_drop=base.validation.score(metric) - score
        if isinstance(base, Training) and score is not None
        else None,
        bytes=export.bytes if export else None,
        latency_ms=timed.latency_ms if timed else None,
        macs=validation.cost * compress.macs[-1] if validation and compress else None,
    )


def _violations(candidate: VariantMetrics, limits: SelectParams, what: str) -> list[Violation]:
    if candidate.refused:
        return [Violation("refused", math.inf, candidate.refused)]
    size = None if candidate.bytes is None else candidate.bytes / 1000
    statistic = limits.latency_statistic
    measured = {
        "max_size_kb": ("its size", size),
        "max_latency_ms": (
            f"its {statistic_name(statistic)} latency"
            + (f" on {limits.device}" if limits.device else ""),
            _latency(candidate, statistic),
        ),
        **dict.fromkeys(
            ("max_accuracy_drop", "max_agreement_drop"),
            (f"its drop in validation {what}", candidate.accuracy_drop),
        ),
    }
    broken = violations(limits, measured)
    if not broken and None in (candidate.bytes, candidate.accuracy):
        broken.append(Violation("metrics", math.inf, f"its size or {what} was not measured"))
    if not broken and "latency" in limits.objective and candidate.latency_ms is None:
        broken.append(Violation("metrics", math.inf, "its latency was not measured"))
    return broken


def _rank(candidate: VariantMetrics, limits: SelectParams) -> tuple[float, ...]:
    by_size = (float(candidate.bytes or 0), -(candidate.accuracy or 0.0))
    latency = _latency(candidate, limits.latency_statistic) or 0.0
    if limits.objective == "latency":
        return (latency, *by_size)
    if limits.objective == "size_and_latency":
        return (by_size[0] * latency, *by_size)
    return by_size if limits.objective == "size" else by_size[::-1]


def _latency(candidate: VariantMetrics, statistic: Statistic) -> float | None:
    return candidate.latency_ms.of(statistic) if candidate.latency_ms else None


def nearest_miss(broken: Mapping[str, list[Violation]]) -> str | None:
    """The variant whose worst broken limit is broken least; None if all were refused."""
    worst = {name: max(violation.factor for violation in found) for name, found in broken.items()}
    name = min(worst, key=lambda name: worst[name], default=None)
    return None if name is None or worst[name] == math.inf else name


def _reason(
    chosen: str, fitting: Mapping[str, VariantMetrics], limits: SelectParams, what: str
) -> str:
    """Why a variant is chosen among those within the limits, and what another would be better in.

    Smaller is not always faster: a small network's time is that of its calls.
    """
    if len(fitting) == 1:
        return "the only variant within the limits"
    best = SUPERLATIVES[limits.objective]
    if limits.objective == "accuracy" and "teacher" in what:  # agreement with it
        best = "closest to the teacher"
    clauses = [f"the {best} of {len(fitting)} variants within the limits"]
    costs = {
        name: (
            _latency(candidate, limits.latency_statistic) or math.inf,
            float(candidate.bytes or math.inf),
        )
        for name, candidate in fitting.items()
    }
    for index, word in enumerate(("faster", "smaller")):
        name = min(costs, key=lambda name: costs[name][index])
        if costs[name][index] < (1 - _FASTER) * costs[chosen][index] < math.inf:
            time, size = costs[name]
            shown = [milliseconds(time)] * (time < math.inf) + [kilobytes(size)]
            clauses.append(f"{name} is {word} ({', '.join(shown)})")
    return "; ".join(clauses)


def _nothing_fits(broken: dict[str, list[Violation]]) -> str:
    nearest = nearest_miss(broken)
    if nearest is None:
        reasons = "; ".join(f"{name}: {found[0].reason}" for name, found in broken.items())
        return f"No variant can be shipped. {reasons}."
    reasons = " and ".join(violation.reason for violation in broken[nearest])
    keys = " and ".join(violation.limit for violation in broken[nearest])
    return (
        f"No variant is within the limits. {nearest} comes nearest: {reasons}. Raise {keys} under "
        "select, or try another variant."
    )


def summarise(statistics: Statistics, selection: Selection) -> Summary:
    """Pick the test scores and the shipped variant's size; what is missing is absent.

    Fractions are 0 … 1, sizes kB (1,000 bytes); there are no timings.
    """
    shipped = statistics.variants.get(selection.chosen or "")
    test = known(shipped.test) if shipped else None
    gain = known(statistics.gain)
    low, high = gain.interval if gain and gain.interval else (None, None)
    metric = metric_on("test", statistics)
    key = f"agreement_{metric.key}".removesuffix("_accuracy") if metric.is_agreement else metric.key
    metrics = {
        f"teacher_{key}": getattr(statistics.teacher, metric.key),
        f"student_{key}": statistics.student.mean,
        f"distilled_{key}": statistics.distill.mean,
        "gain": gain.mean if gain else None,
        "gain_low": low,
        "gain_high": high,
        f"shipped_{key}": test.score(metric.key) if test else None,
        "shipped_precision": test.precision if test else None,
        "shipped_recall": test.recall if test else None,
        "shipped_compute": test.cost if test else None,
        "shipped_kb": shipped.bytes / 1000 if shipped and shipped.bytes else None,
    }
    return Summary(**{key: round(value, 6) for key, value in metrics.items() if value is not None})
