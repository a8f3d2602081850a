"""Compare telemetry with what a model's answers look like on pictures that it was made for."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from kdtasks.drift.reference import Histograms
from kdtasks.drift.stability import index_by_chance, population_stability_index
from kdtasks.edge.telemetry import Telemetry
from kdtasks.errors import TelemetryError
from kdtasks.params.shipping import DriftParams


class Drift(NamedTuple):
    """What telemetry says.

    Attributes:
        answers: of the model in question.
        others: answers in the telemetry that other models gave.
        exits, confidences: population stability index of each histogram.
        is_drift: whether one of them is beyond the limit and beyond chance, with answers enough to
            tell.
        sentence: the same in words.
    """

    answers: int
    others: int
    exits: float
    confidences: float
    is_drift: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Give it as the payload of an event."""
        return self._asdict()


def detect_drift(
    summaries: Iterable[Telemetry], reference: Histograms, *, sha256: str, limits: DriftParams
) -> Drift:
    """Say whether the answers of a model have drifted; too few answers say nothing.

    Arguments:
        summaries: of any devices and models.
        reference: of the model in question.
        sha256: of its `model.tflite`; summaries of other models are left aside.

    Raises:
        TelemetryError: a summary of this model counts other exits than the model has.
    """
    exits = np.zeros(len(reference.exits), np.int64)
    confidences = np.zeros(len(reference.confidences), np.int64)
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
    answers = int(exits.sum())
    moved = {
        "exits": population_stability_index(reference.exits, exits),
        "confidences": population_stability_index(reference.confidences, confidences),
    }
    expected = sum(reference.exits)
    allowed = {
        name: max(limits.max_index, index_by_chance(len(counts), expected, answers))
        for name, counts in (("exits", exits), ("confidences", confidences))
    }
    beyond = [name for name, index in moved.items() if index > allowed[name]]
    is_enough = answers >= limits.min_answers
    indices = ", ".join(f"{name} {index:.3f}" for name, index in moved.items())
    if not is_enough:
        sentence = f"{answers} answers are too few to tell; drift.min_answers asks for " + str(
            limits.min_answers
        )
    elif beyond:
        sentence = f"{' and '.join(beyond)} of {answers} answers have drifted ({indices}; "
        sentence += f"{limits.max_index:g} is allowed)"
    else:
        sentence = f"no drift in {answers} answers ({indices}; {limits.max_index:g} is allowed"
        by_chance = max(allowed.values())
        if by_chance > limits.max_index:
            sentence += f", and with {expected} test pictures chance alone gives up to "
            sentence += f"{by_chance:.2f}"
        sentence += ")"
    if others:
        sentence += f"; {others} answers of other models were left aside"
    return Drift(answers, others, **moved, is_drift=is_enough and bool(beyond), sentence=sentence)
