"""What every task evaluates, and how results are written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import (
    Comparison,
    Evaluation,
)
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.telemetry import Histograms
from kdtasks.evaluate.exits.calibrate import Tradeoff
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.score import S, compare_scores
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.tasks.registry import metric_of
from kdtasks.tasks.task import Metric, Task

Arrays = Mapping[str, NDArray[Any]]
# From uint8 images [N, height, width, channels] to the last exit's logits [N, …, classes].
Network = Callable[[Any], NDArray[Any]]
# Opens a network when it is its turn.
Opener = Callable[[], Network]

RELIABILITY = "exit,confidence,accuracy,rows"


class Evaluated(NamedTuple):
    """What the test split says of a bundle (docs/files.md).

    Attributes:
        scores: the numbers.
        sentence: the most important ones.
        predictions: arrays of every row's answer.
        examples: arrays of some images, for the page.
        reliability: rows of `RELIABILITY`, by exit; none of masks.
    """

    scores: Evaluation
    sentence: str
    predictions: Arrays
    examples: Arrays
    reliability: Sequence[tuple[int, float, float, int]] = ()


@dataclass(frozen=True)
class Evaluator(ABC, Generic[S]):
    """Calibrates and scores a task's models.

    Attributes:
        dataset: whose images are answered.
        settings: level of the intervals, and the bootstrap over images.
        split: whose images are answered; the test split but for a forecast.
    """

    task: ClassVar[Task]
    dataset: PreparedDataset
    settings: EvaluateParams
    split: str = "test"

    @property
    def answered(self) -> bool:
        """Whether a teacher's answers stand in the place of the split's labels."""
        return self.split in self.dataset.answered

    @property
    def metric(self) -> Metric:
        """What models are compared by."""
        return metric_of(self.task, self.settings.metric).by(teacher=self.answered)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images, or patches: uint8 [N, height, width, channels]."""
        return self.dataset.images(self.split)

    @property
    def labels(self) -> NDArray[np.integer]:
        """The labels: integers [N] or [N, height, width]."""
        return np.asarray(self.dataset.labels(self.split))

    @property
    def groups(self) -> NDArray[np.integer]:
        """The group of each test row: integers [N], from 0; rows of one group count once."""
        return np.asarray(self.dataset.groups(self.split))

    @abstractmethod
    def calibrate(
        self, model: Path, compressed: Compressed, settings: ExitsParams, *, seen_rows: int
    ) -> tuple[Calibration, Tradeoff | None]:
        """Choose temperatures and thresholds of a variant on the calibration split.

        Args:
            model: its `model.tflite`.
            compressed: what the variant was built as.
            settings: what to choose.
            seen_rows: images at the start of the split that quantisation has seen.

        Returns:
            what was chosen, and what there was to choose from; None of masks.

        Raises:
            CalibrationError: no threshold keeps the limits.
        """

    @abstractmethod
    def evaluate(self, bundle: Path) -> Evaluated:
        """Evaluate a bundle on the test split.

        Raises:
            BundleError: the bundle cannot be used.
            EvaluationError: no test pixel is labelled.
        """

    @abstractmethod
    def answer(self, network: Network) -> S:
        """Have a network answer the split."""

    @abstractmethod
    def score(self, predictor: Predictor) -> S:
        """Have a bundle answer the test split, with early exits where it has any."""

    @abstractmethod
    def reference(self, predictor: Predictor) -> Histograms:
        """Count a model's answers to the test split as telemetry counts those of devices."""

    def compare(
        self,
        teacher: Opener | None,
        students: Mapping[int, Opener],
        distilled: Mapping[int, Opener],
        arms: Mapping[str, Mapping[int, Opener]],
    ) -> tuple[Comparison, Arrays]:
        """Compare models on the test split: students by seed, further ones by arm and seed.

        Args: `teacher` is None where it cannot answer the split, `students` are none where labels
            alone teach none.

        Returns:
            the comparison, and the arrays of `plots/compare.npz`.

        Raises:
            EvaluationError: as of `compare_scores`.
        """
        taught = self.answer(teacher()) if teacher else None
        alone, learnt, *others = (
            {seed: self.answer(models[seed]()) for seed in sorted(models)}
            for models in (students, distilled, *arms.values())
        )
        first = min(learnt)
        shown = {"teacher": taught, "student": alone.get(first), "distill": learnt[first]}
        further = dict(zip(arms, others, strict=True))
        arrays = self.compared_arrays({name: found for name, found in shown.items() if found})
        return compare_scores(taught, alone, learnt, further), arrays

    def compared_arrays(self, models: Mapping[str, S]) -> Arrays:
        """Give what the page draws of the models compared; none by default."""
        return {}
