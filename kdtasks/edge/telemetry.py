"""What a device tells of its answers: counts alone, no images and no single answer.

A summary is one JSON object; a file holds one, or one a line:

    {"format_version": 1, "model": "digits", "sha256": "…", "begun": "2026-11-26T00:00:00+00:00",
     "ended": "2026-11-26T01:00:00+00:00", "exits": [310, 150, 40],
     "confidences": [0, 0, 1, 4, 9, 12, 20, 44, 90, 320]}

`exits` counts the answers that each exit gave, `confidences` those in ten equal ranges of
confidence from 0 to 1; both add up to the number of answers. `sha256` is that of `model.tflite`.
An agent adds `latencies`, answers by their time (`LATENCY_BOUNDS` has the ranges), `device`,
`version`, and `rejected`, a version that it took back, with the reason.
"""

import bisect
import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core import JsonObject
from kdtasks.core.errors import TelemetryError, explained
from kdtasks.edge.manifest import Manifest, from_json, missing_fields
from kdtasks.edge.predictor import Prediction

FORMAT_VERSION = 1
BINS = 10

# Milliseconds, upper bounds of all ranges but the last.
LATENCY_BOUNDS = tuple(0.0625 * 2**k for k in range(15))


class Histograms(NamedTuple):
    """Counts of answers: by exit [K], and in ten equal ranges of confidence [10]."""

    exits: tuple[int, ...]
    confidences: tuple[int, ...]


def histograms_of(
    exit_index: npt.ArrayLike, confidences: npt.ArrayLike, *, exits: int
) -> Histograms:
    """Count answers [N] by the exit that gave them, of `exits`, and by their confidence."""
    return Histograms(
        tuple(np.bincount(np.asarray(exit_index), minlength=exits).tolist()),
        tuple(confidence_counts(confidences).tolist()),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Telemetry:
    """A summary; K is the number of the model's exits.

    Attributes:
        model: name of the model.
        sha256: hash of its `model.tflite`, hex.
        begun, ended: ISO 8601, of the time that was counted.
        exits: [K], answers by the exit that gave them.
        confidences: [10], answers by their confidence.
        latencies: [16], answers by their time; null where nobody took it.
        device: that counted; null where it has no name.
        version: number of the model's version in its store; null where it is not known.
        rejected: `version` and `reason` of one that the device took back; null where it did not.
        format_version: version of this format.
    """

    model: str
    sha256: str
    begun: str
    ended: str
    exits: tuple[int, ...]
    confidences: tuple[int, ...]
    latencies: tuple[int, ...] | None = None
    device: str | None = None
    version: int | None = None
    rejected: JsonObject | None = None
    format_version: int = FORMAT_VERSION

    @property
    def answers(self) -> int:
        """How many answers were counted."""
        return sum(self.exits)

    def to_line(self) -> str:
        """Give the summary as a line of JSON, with its end."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True) + "\n"


class TelemetryCounter:
    """Counts the answers of one model until they are asked for."""

    def __init__(self, manifest: Manifest) -> None:
        """Args: `manifest` is that of the model whose answers are counted."""
        self._manifest = manifest
        self._reset()

    def add(self, prediction: Prediction, milliseconds: float | None = None) -> None:
        """Count an answer; times are told of all answers or of none."""
        self._exits[prediction.exit_index] += 1
        if milliseconds is not None:
            self._latencies[bisect.bisect_left(LATENCY_BOUNDS, milliseconds)] += 1
        self._confidences += confidence_counts([prediction.confidence])

    def take(self) -> Telemetry:
        """Give what was counted since the last time, and begin anew."""
        summary = Telemetry(
            model=self._manifest.name,
            sha256=self._manifest.sha256,
            begun=self._begun,
            ended=_now(),
            exits=tuple(self._exits.tolist()),
            confidences=tuple(self._confidences.tolist()),
            latencies=tuple(self._latencies) if any(self._latencies) else None,
        )
        self._reset()
        return summary

    def _reset(self) -> None:
        self._begun = _now()
        self._exits = np.zeros(self._manifest.segments, np.int64)
        self._confidences = np.zeros(BINS, np.int64)
        self._latencies = [0] * (len(LATENCY_BOUNDS) + 1)


def confidence_counts(confidences: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Count confidences [N] of 0 … 1 in ten equal ranges: int64 [10]; 1 is in the last one."""
    ranges = (np.asarray(confidences, np.float64) * BINS).astype(np.int64)
    return np.bincount(np.clip(ranges, 0, BINS - 1), minlength=BINS)


def read_telemetry(path: Path) -> list[Telemetry]:
    """Read the summaries of a file: one, or one a line.

    Raises:
        TelemetryError: the file cannot be read, or a summary is none.
    """
    causes = (OSError, UnicodeDecodeError)
    with explained(TelemetryError, f"{path} cannot be read", "give a file of summaries", *causes):
        text = path.read_text(encoding="utf-8")
    return parse_telemetry(text, str(path))


def parse_telemetry(text: str, where: str) -> list[Telemetry]:
    """Read the summaries in a text: one, or one a line; `where` is what to call it in an error.

    Raises:
        TelemetryError: a summary is none.
    """
    summaries = []
    for line_name, content in _objects(where, text):
        for problem in _problems(content):
            raise TelemetryError(f"{line_name} {problem}")
        summaries.append(from_json(Telemetry, content))
    return summaries


def _objects(where: str, text: str) -> Iterator[tuple[str, Any]]:
    try:
        yield where, json.loads(text)  # one, over several lines perhaps
    except ValueError:
        lines = [(f"{where}, line {k}", line) for k, line in enumerate(text.splitlines(), start=1)]
        for line_name, line in lines:
            if line.strip():
                with explained(TelemetryError, f"{line_name} is no JSON", "remove it", ValueError):
                    content = json.loads(line)
                yield line_name, content


def _problems(content: Any) -> Iterator[str]:
    """What makes a JSON object no summary; callers read only the first."""
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        yield (
            f"is no summary of format_version {FORMAT_VERSION}; one was expected, with "
            f"{', '.join(missing_fields(Telemetry, {}))}"
        )
    if missing := missing_fields(Telemetry, content):
        yield f"lacks {', '.join(missing)}; have the device write it anew"
    exits, confidences = content["exits"], content["confidences"]
    for name, counts in (("exits", exits), ("confidences", confidences)):
        if not isinstance(counts, list) or any(type(n) is not int or n < 0 for n in counts):
            yield f"has the {name} {counts!r}; a list of counts was expected"
    if len(confidences) != BINS or sum(confidences) != sum(exits):
        yield (
            f"counts {sum(exits)} answers by exit and {sum(confidences)} in {len(confidences)} "
            f"ranges of confidence; equally many in {BINS} were expected"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
