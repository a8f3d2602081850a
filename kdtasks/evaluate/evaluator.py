"""What every task evaluates, the settings of it, and how results are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kdtasks.core.files import atomic_file, write_text
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Calibration, Comparison, Evaluation
from kdtasks.core.settings import Count, Index, OpenFraction, Section
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.telemetry import Histograms
from kdtasks.evaluate.comparison import Opens
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import Point
from kdtasks.evaluate.intervals import Interval, Method
from kdtasks.evaluate.metrics import ReliabilityBin
from kdtasks.tasks.task import Task

Arrays = Mapping[str, NDArray[Any]]


RELIABILITY = "exit,confidence,accuracy,rows"


class Evaluated(NamedTuple):
    """What the test split says of a bundle (docs/files.md).

    Attributes:
        scores: the numbers.
        sentence: the most important ones.
        predictions: arrays of every row's answer.
        examples: arrays of some images, for the page.
        reliability: of each exit; none of masks.
    """

    scores: Evaluation
    sentence: str
    predictions: Arrays
    examples: Arrays
    reliability: Sequence[Sequence[ReliabilityBin]] = ()


def write_reliability(path: Path, exits: Sequence[Sequence[ReliabilityBin]]) -> None:
    """Write `plots/reliability/<variant>.csv`: a line a bin of confidence; the header for none."""
    lines = [
        f"{index},{found.confidence!r},{found.accuracy!r},{found.rows}\n"
        for index, bins in enumerate(exits)
        for found in bins
    ]
    write_text(path, f"{RELIABILITY}\n" + "".join(lines))


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays as `.npz`, all of it or nothing; an empty file where there are none."""
    with atomic_file(path) as partial:
        np.savez(partial, **arrays)  # type: ignore[arg-type]


class EvaluateParams(Section):
    """Intervals on the test split."""

    confidence: OpenFraction = Field(default=0.95, description="level of every interval")
    bootstrap_samples: Count = Field(default=2000, description="resamples of every bootstrap")
    seed: Index = Field(default=0, description="seed of the resampling")


class BenchmarkParams(Section):
    """How latency is measured on this machine."""

    threads: Count = Field(default=1, description="threads of the LiteRT interpreter")
    runs: Count = Field(default=300, description="single-image predictions that are timed")
    warmup: Index = Field(default=30, description="predictions before that, not timed")


class Paired(Protocol):
    """What independent images, each answered by both models, say of candidate − production.

    Attributes:
        rows: how many they are.
        difference: of the task's metric, −1 … 1.
        lower, upper: one-sided bounds of the difference, each at the level asked for.
    """

    @property
    def rows(self) -> int: ...

    @property
    def difference(self) -> float: ...

    @property
    def lower(self) -> float: ...

    @property
    def upper(self) -> float: ...

    def sentence(self, production: str) -> str:
        """Say what the bounds rest on; `production` is what to call that model."""


class Score(Protocol):
    """How a model answers the test split, counted as its task counts.

    Attributes:
        task: of the model.
        rows: independent images of the split; patches of one image are one.
        value: of the task's metric, 0 … 1.
    """

    @property
    def task(self) -> Task: ...

    @property
    def rows(self) -> int: ...

    @property
    def value(self) -> float: ...

    def interval(self, confidence: float) -> Interval | None:
        """Give the interval of `value` at a level; None where one image shows no spread."""

    def paired(self, production: Self, *, method: Method, confidence: float) -> Paired:
        """Compare with production's score on the same images.

        Args:
            production: of the same images, in the same order.
            method: where the bounds come from, in a task that leaves the choice.
            confidence: level of each one-sided bound, more than 0.5 and less than 1.

        Raises:
            EvaluationError: the two are not of the same images, or the level is out of range.
        """


class Evaluator(Protocol):
    """What is calibrated and judged of a task's models; all on a prepared dataset."""

    @property
    def task(self) -> Task: ...

    def calibrate(
        self,
        model: Path,
        dataset: PreparedDataset,
        compressed: Compressed,
        settings: ExitsParams,
        *,
        seen_rows: int,
    ) -> tuple[Calibration, list[Point]]:
        """Choose temperatures and thresholds of a variant on the calibration split.

        Args:
            model: its `model.tflite`.
            compressed: what the variant was built as.
            seen_rows: images at the start of the split that quantisation has seen.

        Returns:
            what was chosen, and the points of `tradeoff.csv`.

        Raises:
            CalibrationError: no threshold keeps the limits.
        """

    def evaluate(
        self, bundle: Path, dataset: PreparedDataset, settings: EvaluateParams
    ) -> Evaluated:
        """Judge a bundle on the test split.

        Raises:
            BundleError: the bundle cannot be used.
        """

    def compare(
        self,
        dataset: PreparedDataset,
        teacher: Opens,
        students: Mapping[int, Opens],
        distilled: Mapping[int, Opens],
        settings: EvaluateParams,
    ) -> tuple[Comparison, Arrays]:
        """Compare models on the test split; the arrays are those of `plots/compare.npz`."""

    def score(
        self, predictor: Predictor, dataset: PreparedDataset, settings: EvaluateParams
    ) -> Score:
        """Have a model answer the test split; `settings` are those of a bootstrap."""

    def reference(self, predictor: Predictor, dataset: PreparedDataset) -> Histograms:
        """Count a model's answers to the test split as telemetry counts those of devices."""
