"""Decide whether a new model takes production's place, and say why."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from kdtasks.core.latency import Latency, Statistic, statistic_name
from kdtasks.core.limits import is_within
from kdtasks.core.settings import Count, Fraction, LatencyStatistic, Positive, Section
from kdtasks.core.text import kilobytes, milliseconds, percent, points
from kdtasks.evaluate.intervals import Interval, PairedComparison
from kdtasks.evaluate.score import Score

Action = Literal["promote", "keep", "nothing"]

# the alias that devices pull, and that a model is compared with if nobody names another
PRODUCTION = "production"


class GateParams(Section):
    """What a new model must show before it takes production's place; no stage depends on it.

    In doubt production stays. Sizes are of `model.tflite`, latencies of one run of both models, and
    accuracy is what `evaluate.metric` names, with a bootstrap within the classes for
    `balanced_accuracy` and `macro_f1`, a jackknife over source images for masks.
    """

    method: Literal["mcnemar", "bootstrap"] = Field(
        default="mcnemar",
        description="`mcnemar`: McNemar's exact test and Tango's score bound; `bootstrap`: the "
        "lower of that bound and a percentile bootstrap's over test images; masks always get a "
        "jackknife",
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(
        default=0.95, description="level of every one-sided bound that a limit is held against"
    )
    max_accuracy_drop: Fraction | None = Field(
        default=0.01,
        description="test accuracy that the lower bound may lie below production's, as a fraction; "
        "0 asks for proof of a gain",
    )
    max_agreement_drop: Fraction | None = Field(
        default=None,
        description="the same for agreement with the teacher, where no test image has a label; "
        "`max_accuracy_drop` is null then",
    )
    min_accuracy: Fraction | None = Field(
        default=None,
        description="test accuracy that the candidate's own lower bound must reach, as a "
        "fraction; keeps small drops from adding up",
    )
    min_test_rows: Count = Field(
        default=200,
        description="test images below which production stays; those of one group count once",
    )
    min_source_images: Count = Field(
        default=30,
        description="the same of masks, in images that the test patches were cut from",
    )
    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_size_growth: Annotated[float, Field(ge=0.0)] | None = Field(
        default=0.1, description="growth over production's size, as a fraction (0.1 = 10 % more)"
    )
    max_latency_ms: Positive | None = Field(
        default=None, description="latency of one image, in milliseconds"
    )
    max_latency_growth: Annotated[float, Field(ge=0.0)] | None = Field(
        default=0.25, description="growth over production's latency, as a fraction"
    )
    latency_statistic: LatencyStatistic = "mean"

    @model_validator(mode="after")
    def _has_one_limit(self) -> "GateParams":
        if (self.max_accuracy_drop is None) == (self.max_agreement_drop is None):
            raise ValueError(
                f"max_accuracy_drop is {self.max_accuracy_drop}, max_agreement_drop "
                f"{self.max_agreement_drop}; give one of them, and null for the other"
            )
        return self

    @property
    def max_drop(self) -> float:
        """The limit on what is lost, of the accuracy or of the agreement with the teacher."""
        return next(
            limit
            for limit in (self.max_accuracy_drop, self.max_agreement_drop)
            if limit is not None
        )


class Contender(NamedTuple):
    """A model that was measured.

    Attributes:
        title: what people call it, such as `version 3`.
        score: its answers to the test split.
        size: of `model.tflite`, in bytes.
        latency_ms: on images of the validation split.
    """

    title: str
    score: Score
    size: int
    latency_ms: Latency


class LimitCheck(NamedTuple):
    """One limit, whether it holds, and that in a sentence."""

    holds: bool
    reason: str


class GateDecision(NamedTuple):
    """What becomes of a candidate.

    Attributes:
        action: `promote` it, `keep` production, or `nothing` where both are the same.
        checks: every limit, whether it holds, and that in a sentence.
        candidate, production: what was measured; null where nothing was.
        comparison: of the two; null without production.
        notes: what else whoever reads the decision should know.
        model, alias: whose place it is about.
        version: what that alias stands for; null where there is none, or nobody looked.
        statistic: the latency that limits were held against.
    """

    action: Action
    checks: tuple[LimitCheck, ...]
    candidate: Contender | None = None
    production: Contender | None = None
    comparison: PairedComparison | None = None
    notes: tuple[str, ...] = ()
    model: str = ""
    alias: str = PRODUCTION
    version: int | None = None
    statistic: Statistic = "mean"

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for every limit; if production stays, only for those that do not hold."""
        return tuple(
            check.reason for check in self.checks if self.action != "keep" or not check.holds
        )


def decide(
    candidate: Contender,
    production: Contender | None,
    *,
    limits: GateParams,
    alias: str = PRODUCTION,
) -> GateDecision:
    """Promote a candidate if every limit holds; without production only absolute ones count.

    Args:
        candidate, production: both measured on the same images, in the same order.
        limits: the limits, method and level.
        alias: whose place it is about.

    Raises:
        EvaluationError: the two have not answered the same images.
    """
    score, comparison = candidate.score, None
    if production is None:
        first = f"there is no model in {alias} yet, so only absolute limits count"
        checks = [LimitCheck(True, first)]
        if score.task.per_pixel and limits.min_accuracy is not None:
            checks.append(_enough_check(score, limits))
    else:
        comparison = score.paired(
            production.score, method=limits.method, confidence=limits.confidence
        )
        checks = [
            _accuracy_check(comparison, score, limits),
            _enough_check(score, limits),
            *_growth_checks(candidate, production, limits),
        ]
    checks += _absolute_checks(candidate, limits)
    action: Action = "promote" if all(check.holds for check in checks) else "keep"
    return GateDecision(
        action,
        tuple(checks),
        candidate,
        production,
        comparison,
        alias=alias,
        statistic=limits.latency_statistic,
    )


def accuracy_interval(score: Score, confidence: float) -> Interval:
    """Give the interval of a score, each end a one-sided bound of level `confidence`."""
    return score.interval(2 * confidence - 1) or (0.0, 1.0)


def _accuracy_check(comparison: PairedComparison, score: Score, limits: GateParams) -> LimitCheck:
    sure = percent(limits.confidence, 0)
    holds = is_within(-comparison.lower, limits.max_drop)
    why = "" if holds or not score.sparse else f"; {score.sparse}"
    allowed = points(limits.max_drop, signed=False)
    return LimitCheck(
        holds,
        f"{score.metric.name} differs by {points(comparison.difference)} on the same "
        f"{images_of(score)}; with {sure} confidence by no less than "
        f"{points(comparison.lower, 2)}, and a drop of {allowed} is allowed{why}",
    )


def _enough_check(score: Score, limits: GateParams) -> LimitCheck:
    limit = "min_source_images" if score.task.per_pixel else "min_test_rows"
    least = getattr(limits, limit)
    enough = score.rows >= least
    verdict = "enough" if enough else "too few to tell"
    return LimitCheck(enough, f"{images_of(score)} are {verdict}; gate.{limit} asks for {least}")


def images_of(score: Score) -> str:
    """Say on how many independent images a score rests."""
    if score.task.per_pixel:
        return f"{score.rows} source images"
    return f"{score.rows} {'groups of ' * (score.size.groups is not None)}test images"


def _growth_checks(
    candidate: Contender, production: Contender, limits: GateParams
) -> list[LimitCheck]:
    size = ("the file's size", candidate.size, production.size)
    statistic = limits.latency_statistic
    pair = candidate.latency_ms.of(statistic), production.latency_ms.of(statistic)
    latency = (f"the {statistic_name(statistic)} latency", *pair)
    checks = []
    for (what, new, old), limit, written in (
        (size, limits.max_size_growth, kilobytes),
        (latency, limits.max_latency_growth, milliseconds),
    ):
        growth = new / old - 1
        verb = "grows" if growth > 0 else "shrinks"
        moved = f"{verb} by {percent(abs(growth))}" if abs(growth) >= 0.0005 else "stays"
        allowed = (
            "no growth is too much" if limit is None else f"growth by {percent(limit)} is allowed"
        )
        checks.append(
            LimitCheck(
                is_within(growth, limit),
                f"{what} {moved} ({written(new)} after {written(old)}); {allowed}",
            )
        )
    return checks


def _absolute_checks(candidate: Contender, limits: GateParams) -> list[LimitCheck]:
    checks = []
    if limits.min_accuracy is not None:
        score = candidate.score
        low = accuracy_interval(score, limits.confidence)[0]
        checks.append(
            LimitCheck(
                is_within(limits.min_accuracy, limit=low),
                f"{score.metric.name} is {percent(score.value)}, with "
                f"{percent(limits.confidence, 0)} confidence no less than {percent(low)}; "
                f"{percent(limits.min_accuracy)} is the least allowed",
            )
        )
    max_bytes = limits.max_size_kb and limits.max_size_kb * 1000
    statistic = limits.latency_statistic
    latency = candidate.latency_ms.of(statistic)
    title = f"the {statistic_name(statistic)} latency is"
    for what, value, most, written in (
        ("the file has", candidate.size, max_bytes, kilobytes),
        (title, latency, limits.max_latency_ms, milliseconds),
    ):
        if most is not None:
            reason = f"{what} {written(value)}; {written(most)} are allowed"
            checks.append(LimitCheck(is_within(value, most), reason))
    return checks
