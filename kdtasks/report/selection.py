"""Choose the variant to ship by the limits of `params.yaml`, on validation figures alone."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kdtasks.core.records.report import CandidateSummary, Limits, Selection, Statistics, Summary
from kdtasks.core.records.training import Training
from kdtasks.core.text import kilobytes, milliseconds, points
from kdtasks.report.contents import Contents, SelectParams, known
from kdtasks.tasks.registry import task_of

# 0.96 − 0.94 is 0.020000000000000018: a drop that equals its limit is within it.
ROUNDING = 1e-9
SUPERLATIVES = {"size": "smallest", "latency": "fastest", "accuracy": "most accurate"}


class Candidate(NamedTuple):
    """What counts for the choice; None where it could not be measured.

    `accuracy`, of masks the mean IoU, and `macs`, the mean compute of an image, are on validation,
    with early exits.
    """

    refused: str | None
    accuracy: float | None
    accuracy_drop: float | None
    bytes: int | None
    latency_ms: float | None
    macs: float | None = None


class Excess(NamedTuple):
    """A limit that a candidate breaks, and by what factor."""

    limit: str
    factor: float
    reason: str


class Measured(NamedTuple):
    """A figure and the limit that it is held against."""

    limit: str  # its key
    what: str  # the figure in words
    value: float | None
    most: float | None
    write: Callable[[float], str]


def over_limits(measured: Iterable[Measured]) -> list[Excess]:
    """The limits that are broken; a figure that was not measured breaks its limit beyond bounds."""
    found = []
    for limit, what, value, most, write in measured:
        if most is None:
            continue
        if value is None:
            found.append(Excess(limit, float("inf"), f"{what} was not measured"))
        elif value > most + ROUNDING:
            # A limit of 0 points has no factor: a tenth of a point stands in for it.
            factor = value / max(most, 1e-3)
            found.append(
                Excess(limit, factor, f"{what}, {write(value)}, is over {write(most)} ({limit})")
            )
    return found


def candidates_of(contents: Contents) -> dict[str, Candidate]:
    """Collect the candidates: validation score as shipped, with early exits, bytes, latency.

    The drop is taken against the last exit of the distilled student that `compress` started from.
    """
    return {variant: _candidate(contents, variant) for variant in contents.variants}


def select(
    candidates: dict[str, Candidate], limits: SelectParams, what: str = "accuracy"
) -> Selection:
    """Choose the best variant within the limits, or the nearest miss in words.

    `what` is the name of what variants are judged by.

    Ties go to the smaller, then the more accurate, then the one listed first.
    """
    excesses = {name: _excesses(candidate, limits, what) for name, candidate in candidates.items()}
    within = [name for name in candidates if not excesses[name]]
    chosen = min(within, key=lambda name: _rank(candidates[name], limits)) if within else None
    return Selection(
        chosen=chosen,
        objective=limits.objective,
        limits=Limits(
            max_size_kb=limits.max_size_kb,
            max_latency_ms=limits.max_latency_ms,
            max_accuracy_drop=limits.max_accuracy_drop,
        ),
        candidates={
            name: CandidateSummary(
                **candidate._asdict(),
                within=not excesses[name],
                reasons=tuple(excess.reason for excess in excesses[name]),
            )
            for name, candidate in candidates.items()
        },
        pareto=tuple(pareto_front(candidates)),
        nearest=None if chosen else _nearest(excesses),
        sentence=_sentence(chosen, len(within), excesses, limits),
    )


def pareto_front(candidates: dict[str, Candidate]) -> list[str]:
    """List the variants that no other one beats on validation accuracy, bytes, latency and MACs.

    A latency or a compute that was not measured counts as the worst.
    """
    costs = {
        name: (
            -candidate.accuracy,
            float(candidate.bytes),
            float("inf") if candidate.latency_ms is None else candidate.latency_ms,
            float("inf") if candidate.macs is None else candidate.macs,
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


def _candidate(contents: Contents, variant: str) -> Candidate:
    files = contents.variants[variant]
    compress, calibration = known(files.compress), known(files.calibration)
    export, benchmark = known(files.export), known(files.benchmark)
    base = contents.distill.get(compress.base_seed) if compress else None
    validation = calibration.validation if calibration else None
    score = validation.score if validation else None
    return Candidate(
        refused=files.refused,
        accuracy=score,
        accuracy_drop=base.validation.score - score
        if isinstance(base, Training) and score is not None
        else None,
        bytes=export.bytes if export else None,
        latency_ms=benchmark.latency_ms.p50 if benchmark else None,
        macs=validation.cost * compress.macs[-1] if validation and compress else None,
    )


def _excesses(candidate: Candidate, limits: SelectParams, what: str) -> list[Excess]:
    if candidate.refused:
        return [Excess("refused", float("inf"), candidate.refused)]
    size = None if candidate.bytes is None else candidate.bytes / 1000
    found = over_limits(
        [
            Measured(
                "max_size_kb",
                "its size",
                size,
                limits.max_size_kb,
                lambda value: kilobytes(value * 1000),
            ),
            Measured(
                "max_latency_ms",
                "its median latency",
                candidate.latency_ms,
                limits.max_latency_ms,
                milliseconds,
            ),
            Measured(
                "max_accuracy_drop",
                f"its drop in validation {what}",
                candidate.accuracy_drop,
                limits.max_accuracy_drop,
                lambda value: points(value, signed=False),
            ),
        ]
    )
    if not found and None in (candidate.bytes, candidate.accuracy):
        found.append(Excess("metrics", float("inf"), f"its size or {what} was not measured"))
    if not found and limits.objective == "latency" and candidate.latency_ms is None:
        found.append(Excess("metrics", float("inf"), "its latency was not measured"))
    return found


def _rank(candidate: Candidate, limits: SelectParams) -> tuple[float, ...]:
    assert candidate.bytes is not None
    assert candidate.accuracy is not None
    by_size = (float(candidate.bytes), -candidate.accuracy)
    if limits.objective == "latency":
        assert candidate.latency_ms is not None
        return (candidate.latency_ms, *by_size)
    return by_size if limits.objective == "size" else by_size[::-1]


def _nearest(excesses: dict[str, list[Excess]]) -> str | None:
    """The variant whose worst broken limit is broken least; None if all were refused."""
    worst = {name: max(excess.factor for excess in found) for name, found in excesses.items()}
    name = min(worst, key=lambda name: worst[name], default=None)
    return None if name is None or worst[name] == float("inf") else name


def _sentence(
    chosen: str | None, fitting: int, excesses: dict[str, list[Excess]], limits: SelectParams
) -> str:
    if chosen:
        others = (
            "the only variant within the limits"
            if fitting == 1
            else f"the {SUPERLATIVES[limits.objective]} of {fitting} variants within the limits"
        )
        return f"{chosen} is shipped: {others}."
    nearest = _nearest(excesses)
    if nearest is None:
        reasons = "; ".join(f"{name}: {found[0].reason}" for name, found in excesses.items())
        return f"No variant can be shipped. {reasons}."
    broken = excesses[nearest]
    return (
        f"No variant is within the limits. {nearest} comes nearest: "
        f"{' and '.join(excess.reason for excess in broken)}. Raise "
        f"{' and '.join(excess.limit for excess in broken)} under select, or try another variant."
    )


def summarise(statistics: Statistics, selection: Selection) -> Summary:
    """Pick the test scores and the shipped variant's size; what is missing is left out.

    Fractions are 0 … 1, sizes kB (1,000 bytes); there are no timings.
    """
    shipped = statistics.variants.get(selection.chosen or "")
    test = known(shipped.test) if shipped else None
    gain = known(statistics.gain)
    low, high = gain.interval if gain and gain.interval else (None, None)
    key = task_of(statistics.task).metric.key
    figures = {
        f"teacher_{key}": getattr(statistics.teacher, key),
        f"student_{key}": statistics.student.mean,
        f"distilled_{key}": statistics.distill.mean,
        "gain": gain.mean if gain else None,
        "gain_low": low,
        "gain_high": high,
        f"shipped_{key}": test.score if test else None,
        "shipped_precision": test.precision if test else None,
        "shipped_recall": test.recall if test else None,
        "shipped_compute": test.cost if test else None,
        "shipped_kb": shipped.bytes / 1000 if shipped and shipped.bytes else None,
    }
    return Summary(**{key: round(value, 6) for key, value in figures.items() if value is not None})
