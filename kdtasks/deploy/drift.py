"""Notice from telemetry of devices that their images are not those that a model was made for."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from kdtasks.core.errors import TelemetryError
from kdtasks.core.settings import Count, OpenFraction, Positive, Section
from kdtasks.data.prepared import PreparedDataset
from kdtasks.deploy.low_confidences import LowConfidences, find_low_confidences
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.telemetry import Histograms, Telemetry
from kdtasks.evaluate.registry import evaluator_of

PSEUDO_COUNT = 0.5  # an empty range would have an infinite index
# How the false alarms allowed are divided; Bonferroni's inequality.
LOW_CONFIDENCES, EACH_INDEX = 3 / 4, 1 / 8


class DriftParams(Section):
    """When telemetry of devices tells that their images have changed.

    Three quarters of the false alarms that `false_alarm_rate` allows may come from low confidences,
    an eighth from each index, which `max_index` holds back as well.
    """

    false_alarm_rate: OpenFraction = Field(
        default=0.01,
        description="probability that a check takes chance for drift, of independent images",
    )

    max_index: Positive = Field(
        default=0.2,
        description="population stability index beyond which exits or confidences have drifted, if "
        "chance does not give it either",
    )
    min_answers: Count = Field(
        default=500, description="answers in the telemetry below which nothing is said"
    )


class Drift(NamedTuple):
    """What telemetry says.

    Attributes:
        answers: of the model in question.
        others: answers in the telemetry that other models gave.
        exits, confidences: population stability index of each histogram.
        low_confidences: p-value of as many answers with a low confidence as there are.
        is_drift: whether an index is beyond the limit and beyond chance, or that p-value is too
            small, with answers enough to tell.
        sentence: the same in words.
    """

    answers: int
    others: int
    exits: float
    confidences: float
    low_confidences: float
    is_drift: bool
    sentence: str


def detect_drift(
    summaries: Iterable[Telemetry], reference: Histograms, *, sha256: str, limits: DriftParams
) -> Drift:
    """Say whether the answers of a model have drifted; too few answers say nothing.

    Args:
        summaries: of any devices and models.
        reference: of the model in question.
        sha256: of its `model.tflite`; summaries of other models are left aside.

    Raises:
        TelemetryError: a summary of this model counts other exits than the model has.
    """
    observed, others = _counted(summaries, reference, sha256)
    answers, expected = sum(observed.exits), sum(reference.exits)
    pairs = dict(zip(Histograms._fields, zip(reference, observed, strict=True), strict=True))
    moved = {name: population_stability_index(*pair) for name, pair in pairs.items()}
    chance = EACH_INDEX * limits.false_alarm_rate
    allowed = {
        name: max(limits.max_index, index_by_chance(len(pair[0]), expected, answers, chance))
        for name, pair in pairs.items()
    }
    beyond = [name for name, index in moved.items() if index > allowed[name]]
    low = find_low_confidences(*pairs["confidences"]) if expected and answers else None
    p_value = low.p_value if low else 1.0
    if p_value <= LOW_CONFIDENCES * limits.false_alarm_rate:
        beyond.append("low confidences")
    is_enough, by_chance = answers >= limits.min_answers, max(allowed.values())
    figures = ", ".join(f"{name} {index:.3f}" for name, index in moved.items())
    figures += f"; {limits.max_index:g} is allowed"
    if not is_enough:
        sentence = f"{answers} answers are too few to tell; "
        sentence += f"drift.min_answers asks for {limits.min_answers}"
    elif beyond:
        figures += _low_words(low)
        sentence = f"{' and '.join(beyond)} of {answers} answers have drifted ({figures})"
    else:
        if by_chance > limits.max_index:
            figures += f", and with {expected} test images chance alone gives up to {by_chance:.2f}"
        sentence = f"no drift in {answers} answers ({figures}{_low_words(low)})"
    if others:
        sentence += f"; {others} answers of other models were left aside"
    is_drift = is_enough and bool(beyond)
    return Drift(
        answers, others, **moved, low_confidences=p_value, is_drift=is_drift, sentence=sentence
    )


def _counted(
    summaries: Iterable[Telemetry], reference: Histograms, sha256: str
) -> tuple[Histograms, int]:
    """Add up the summaries of a model, and the answers of others."""
    exits, confidences = (np.zeros(len(counts), np.int64) for counts in reference)
    others = 0
    for summary in summaries:
        if summary.sha256 != sha256:
            others += summary.answers
            continue
        if len(summary.exits) != len(exits):
            raise TelemetryError(
                f"a summary of {summary.model} from {summary.begun} counts {len(summary.exits)} "
                f"exits, the model has {len(exits)}; remove the summary"
            )
        exits += summary.exits
        confidences += summary.confidences
    return Histograms(tuple(exits.tolist()), tuple(confidences.tolist())), others


def _low_words(low: LowConfidences | None) -> str:
    if low is None:
        return ""
    return (
        f"; {low.below} confidences below {low.bound:g} where {low.expected:.1f} were expected, "
        f"p = {low.p_value:.2g}"
    )


def reference_histograms(bundle: Path, data: PreparedDataset) -> Histograms:
    """Run a bundle on the test split, which neither its training nor its thresholds have seen.

    Of masks the images are counted that the test patches were cut from.

    Raises:
        BundleError: the bundle cannot be run.
        TelemetryError: the bundle takes other images.
    """
    model = load_predictor(bundle)
    model_form = (model.task, model.manifest.input_shape)
    if model_form != (data.task, data.image_shape):
        raise TelemetryError(
            f"{bundle} is for {model_form[0]} and takes images of {model_form[1]}, {data.folder} "
            f"is for {data.task} and holds {data.image_shape}; what the model expects is not known "
            "here"
        )
    return evaluator_of(data).reference(model)


def population_stability_index(reference: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Give Σ (q − p) ln(q / p) over the fractions p and q of two histograms.

    0 where they are alike; by custom up to 0.1 is little, and from 0.25 on much.

    Args:
        reference, observed: counts [ranges], of the same ranges; half a count is added to each.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 9.
    """
    p = np.asarray(reference, np.float64) + PSEUDO_COUNT
    q = np.asarray(observed, np.float64) + PSEUDO_COUNT
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def index_by_chance(ranges: int, first: int, second: int, chance: float) -> float:
    """Give the index that chance alone exceeds so seldom, without any drift.

    Without drift the index is (1/n + 1/m) times a chi-squared of ranges − 1 degrees of freedom.

    Args:
        ranges: of the histograms, at least 1.
        first, second: n and m, the counts in each; 0 gives infinity.
        chance: how often, 0 … 1 without the ends.

    Source: Yurdakul 2018, Statistical properties of population stability index, Western Michigan
    University.
    """
    from scipy.special import chdtri  # heavy, and only needed here

    if not (first and second):
        return float("inf")
    if ranges == 1:
        return 0.0
    return float(chdtri(ranges - 1, chance)) * (1 / first + 1 / second)
