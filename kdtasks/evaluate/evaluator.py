"""What every task evaluates, and how results are written."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Comparison, Evaluation, ReliabilityBin
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.telemetry import Histograms
from kdtasks.evaluate.exits.calibrate import Tradeoff
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.score import S, compare_scores
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.evaluate.slices import (
    PLAIN,
    SliceResults,
    compared_slices,
    seed_arrays,
    slice_results_class,
)
from kdtasks.evaluate.views import Network, Opener, TeacherNetwork, on_folder, slice_views
from kdtasks.tasks.registry import metric_of
from kdtasks.tasks.task import Metric, Task

Arrays = Mapping[str, NDArray[Any]]

RELIABILITY = "exit,confidence,accuracy,rows"


def reliability_rows(bins: Sequence[Sequence[ReliabilityBin]]) -> list[tuple[float, ...]]:
    """Give the bins of every exit as rows of `RELIABILITY`."""
    return [
        (exit_index, reliability_bin.confidence, reliability_bin.accuracy, reliability_bin.rows)
        for exit_index, exit_bins in enumerate(bins)
        for reliability_bin in exit_bins
    ]


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
    reliability: Sequence[tuple[float, ...]] = ()


@dataclass(frozen=True)
class Evaluator(ABC, Generic[S]):
    """Calibrates and scores a task's models.

    Attributes:
        dataset: whose images are answered.
        settings: level of the intervals, and the bootstrap over images.
        split: whose images are answered; the test split but for a forecast.
        parts: images of the split that are slices by themselves, bool [N] by name; of classes.
        folders: further datasets whose test split is a slice, by name.
    """

    task: ClassVar[Task]
    dataset: PreparedDataset
    settings: EvaluateParams
    split: str = "test"
    parts: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    folders: Mapping[str, PreparedDataset] = field(default_factory=dict)

    @property
    def is_teacher_labelled(self) -> bool:
        """Whether a teacher's answers stand in the place of the split's labels."""
        return self.split in self.dataset.teacher_labelled

    @property
    def metric(self) -> Metric:
        """What models are compared by."""
        return metric_of(self.task, self.settings.metric).by(teacher=self.is_teacher_labelled)

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
    def network(self, predictor: Predictor) -> Network:
        """Give a bundle as a network, whose early exits answer where it has any."""

    def score(self, predictor: Predictor) -> S:
        """Have a bundle answer the test split, with early exits where it has any."""
        return self.answer(self.network(predictor))

    def slice_results(self, network: Network, plain: S) -> SliceResults | None:
        """Have a network answer every slice.

        Args:
            network: that has given `plain` for the split as it is.

        Returns: None where there are no slices for it: a teacher that looks at no images has no
            answers to damaged ones.
        """
        is_blind = isinstance(network, TeacherNetwork) and not network.uses_pixels
        views = {} if is_blind else slice_views(self.settings)
        folders = {} if is_blind else self.folders
        if not views and not self.parts and not folders:
            return None
        values, units = plain.paired_values
        damaged = {name: self.answer(view(network)).paired_values for name, view in views.items()}
        parts = {name: (values, np.where(part, units, -1)) for name, part in self.parts.items()}
        others = {
            name: replace(self, dataset=dataset).answer(on_folder(network, name)).paired_values
            for name, dataset in folders.items()
        }
        rows = {PLAIN: (values, units), **damaged, **parts, **others}
        return slice_results_class(per_pixel=self.task.per_pixel).of(rows, separate=others)

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
        results: dict[str, dict[int, SliceResults]] = {"teacher": {}, "student": {}, "distill": {}}

        def score_of(kind: str, seed: int, opener: Opener) -> S:
            network = opener()
            score = self.answer(network)
            if kind in results and (slice_results := self.slice_results(network, score)):
                results[kind][seed] = slice_results
            return score

        taught = score_of("teacher", 0, teacher) if teacher else None
        alone, learnt, *others = (
            {seed: score_of(kind, seed, models[seed]) for seed in sorted(models)}
            for kind, models in {"student": students, "distill": distilled, **arms}.items()
        )
        first = min(learnt)
        shown = {"teacher": taught, "student": alone.get(first), "distill": learnt[first]}
        further = dict(zip(arms, others, strict=True))
        arrays = self.compared_arrays({name: found for name, found in shown.items() if found})
        return (
            compare_scores(taught, alone, learnt, further).model_copy(
                update={"slices": compared_slices(results, self.settings.confidence)}
            ),
            {**arrays, **seed_arrays(results["distill"])},
        )

    def compared_arrays(self, models: Mapping[str, S]) -> Arrays:
        """Give what the page draws of the models compared; none by default."""
        return {}
