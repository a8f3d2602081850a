"""Evaluate what a bundle answers on the masks of the test split."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Evaluation, ModelScores
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.segmenter import Segmenter
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate.evaluator import Arrays, Evaluated, Evaluator
from kdtasks.evaluate.examples import pick_patches
from kdtasks.evaluate.exits.calibrate import always_last_exit
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.pixel_counts import PixelCounts, count_pixels
from kdtasks.evaluate.views import Network
from kdtasks.tasks.segmentation import Segmentation
from kdtasks.tasks.task import AGREEMENT


def _sentence(answers: PixelCounts, scores: ModelScores) -> str:
    pixels = AGREEMENT if answers.is_teacher_labelled else "accuracy"
    return f"{answers.metric.name} {answers.value:.4f}, pixel {pixels} {scores.accuracy:.4f}"


class SegmentationEvaluator(Evaluator[PixelCounts]):
    """Images whose pixels have a class each; patches of one image are no independent rows."""

    task = Segmentation()

    def calibrate(
        self, model: Path, compressed: Compressed, settings: ExitsParams, *, seen_rows: int
    ) -> tuple[Calibration, None]:
        """Say that the whole network answers: a mask has no early exits to calibrate."""
        return always_last_exit(compressed), None

    def evaluate(self, bundle: Path) -> Evaluated:
        """Evaluate a bundle over all labelled pixels."""
        model, labels = Segmenter.load(bundle), self.labels
        answers = self.answer(model.logits)
        scores, rows, slice_results = (
            answers.with_interval(),
            self._patches,
            self.slice_results(model.logits, answers),
        )
        return Evaluated(
            Evaluation(
                **scores.present(),
                **answers.size.present(),
                confusion=tuple(map(tuple, answers.confusions.sum(axis=0).tolist())),
                cost=1.0,
                labels_from=self.dataset.labels_from(self.split),
                slices=slice_results.scores(self.settings.confidence) if slice_results else {},
            ),
            _sentence(answers, scores),
            predictions={
                "labels": labels,
                "predicted": answers.predicted,
                "confusions": answers.confusions,
            },
            examples={
                "rows": rows,
                "images": np.asarray(self.images[rows]),
                "labels": labels[rows],
                "predicted": answers.predicted[rows],
                "probabilities": answers.probabilities,
                **(slice_results.arrays() if slice_results else {}),
            },
        )

    def answer(self, network: Network) -> PixelCounts:
        """Have a network answer the patches."""
        return count_pixels(network, self.dataset, self.settings, self.split)

    def network(self, predictor: Predictor) -> Network:
        """Give a segmenter's logits."""
        return predictor.logits

    def reference(self, predictor: Predictor) -> Histograms:
        """Count source images by their mean confidence; devices are sent whole ones."""
        confidences = [predictor.predict(patch).confidence for patch in self.images]
        source = self.groups
        means = np.bincount(source, weights=confidences) / np.bincount(source)
        last = predictor.segments.count - 1
        return histograms_of(np.full(len(means), last), means, exits=last + 1)

    def compared_arrays(self, models: Mapping[str, PixelCounts]) -> Arrays:
        """Give answers to the patches of `pick_patches`, and what curves are drawn from."""
        rows = self._patches
        return {
            "rows": rows,
            **{name: found.predicted[rows] for name, found in models.items()},
            **{f"probabilities_{name}": found.probabilities for name, found in models.items()},
        }

    @property
    def _patches(self) -> npt.NDArray[np.int64]:
        return pick_patches(self.labels, self.dataset.ignore_label)
