"""Evaluate what a bundle answers on the masks of the test split."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Calibration, Evaluation
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.segmenter import Segmenter
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate.evaluator import Arrays, Evaluated, EvaluateParams, Evaluator, Network
from kdtasks.evaluate.exits.calibrate import always_last_exit
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import OperatingPoint
from kdtasks.evaluate.pixel_counts import PixelCounts, count_pixels
from kdtasks.tasks.confusion import counted
from kdtasks.tasks.segmentation import Segmentation


def pick_patches(
    labels: npt.NDArray[np.integer], ignore_label: int | None, *, count: int = 10
) -> npt.NDArray[np.int64]:
    """Pick patches by their labels alone, those of many classes first: int64 [at most count].

    Whoever looks at them sees every model on the same patches, chosen by none of them. Of patches
    with equally many classes those come first whose classes are the most even; of equals the
    earlier.

    Args:
        labels: integers [N, height, width].
    """
    counts = np.array(
        [np.bincount(mask[counted(mask, ignore_label)], minlength=256) for mask in labels]
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(shares * np.log(shares), axis=1)
    most_first = np.lexsort((np.round(-entropy, 9), -(counts > 0).sum(axis=1)))
    return np.sort(most_first[:count])


class SegmentationEvaluator(Evaluator[PixelCounts]):
    """Images whose pixels have a class each; patches of one image are no independent rows."""

    task = Segmentation()

    def calibrate(
        self,
        model: Path,
        dataset: PreparedDataset,
        compressed: Compressed,
        settings: ExitsParams,
        *,
        seen_rows: int,
    ) -> tuple[Calibration, list[OperatingPoint]]:
        """Say that the whole network answers: a mask has no early exits to calibrate."""
        return always_last_exit(compressed), []

    def evaluate(
        self, bundle: Path, dataset: PreparedDataset, settings: EvaluateParams
    ) -> Evaluated:
        """Evaluate a bundle over all labelled pixels."""
        images, labels = dataset.images("test"), np.asarray(dataset.labels("test"))
        found = self.answer(Segmenter.load(bundle).logits, dataset, settings)
        scores = found.with_interval()
        rows = pick_patches(labels, dataset.ignore_label)
        return Evaluated(
            Evaluation(
                **scores.present(),
                **found.size.present(),
                confusion=tuple(map(tuple, found.confusions.sum(axis=0).tolist())),
                cost=1.0,
            ),
            f"mean IoU {scores.score:.4f}, pixel accuracy {scores.accuracy:.4f}",
            predictions={
                "labels": labels,
                "predicted": found.predicted,
                "confusions": found.confusions,
            },
            examples={
                "rows": rows,
                "images": np.asarray(images[rows]),
                "labels": labels[rows],
                "predicted": found.predicted[rows],
                "probabilities": found.probabilities,
            },
        )

    def answer(
        self, network: Network, dataset: PreparedDataset, settings: EvaluateParams
    ) -> PixelCounts:
        """Have a network answer the patches."""
        return count_pixels(network, dataset, settings)

    def score(
        self, predictor: Predictor, dataset: PreparedDataset, settings: EvaluateParams
    ) -> PixelCounts:
        """Have a model answer the patches."""
        return count_pixels(predictor.logits, dataset, settings)

    def reference(self, predictor: Predictor, dataset: PreparedDataset) -> Histograms:
        """Count source images by their mean confidence; devices are sent whole ones."""
        confidences = [predictor.predict(patch).confidence for patch in dataset.images("test")]
        sources = np.asarray(dataset.source_images("test"))
        means = np.bincount(sources, weights=confidences) / np.bincount(sources)
        last = predictor.segments.count - 1
        return histograms_of(np.full(len(means), last), means, exits=last + 1)

    def compared_arrays(
        self, dataset: PreparedDataset, models: Mapping[str, PixelCounts]
    ) -> Arrays:
        """Give answers to the patches of `pick_patches`, and what curves are drawn from."""
        rows = pick_patches(np.asarray(dataset.labels("test")), dataset.ignore_label)
        return {
            "rows": rows,
            **{name: found.predicted[rows] for name, found in models.items()},
            **{f"probabilities_{name}": found.probabilities for name, found in models.items()},
        }
