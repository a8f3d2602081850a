"""Judge what a bundle answers on the masks of the test split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Calibration, Comparison, Evaluation, SeedScores
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.segmenter import Segmenter
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate.comparison import Opens, gain_of, over_seeds
from kdtasks.evaluate.evaluator import Arrays, Evaluated, EvaluateParams
from kdtasks.evaluate.exits.calibrate import uncalibrated
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import Point
from kdtasks.evaluate.intervals import Interval, Method, score_lower_bound
from kdtasks.evaluate.metrics import mean_scores
from kdtasks.evaluate.pixel_counts import (
    Bootstrap,
    MaskTally,
    gain_interval,
    mean_iou_interval,
    tally,
)
from kdtasks.tasks.confusion import counted
from kdtasks.tasks.segmentation import Segmentation


def evaluate_masks(bundle: Path, dataset: PreparedDataset, settings: EvaluateParams) -> Evaluated:
    """Judge a bundle of segmentation on the test split.

    Args:
        bundle: folder of the bundle.
        dataset: its test split is asked about.
        settings: level of the intervals and the bootstrap over source images.

    Raises:
        BundleError: the bundle cannot be used.
        EvaluationError: no test pixel is labelled.
    """
    segmenter = Segmenter.load(bundle)
    images, labels = dataset.images("test"), np.asarray(dataset.labels("test"))
    sources = np.asarray(dataset.source_images("test"))
    found = tally(
        segmenter.logits,
        images,
        labels,
        sources,
        num_classes=dataset.num_classes,
        ignore_label=dataset.ignore_label,
    )
    interval = mean_iou_interval(
        found.confusions,
        Bootstrap(settings.confidence, settings.bootstrap_samples, settings.seed),
    )
    confusion = found.confusions.sum(axis=0)
    scores = found.scores(dataset.class_names)
    rows = pick_patches(labels, dataset.ignore_label)
    return Evaluated(
        Evaluation(
            **{**scores.present(), "interval": interval},
            rows=len(labels),
            images=len(found.confusions),
            pixels=int(confusion.sum()),
            confusion=tuple(map(tuple, confusion.tolist())),
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


def compare_masks(
    dataset: PreparedDataset,
    teacher: Opens,
    students: Mapping[int, Opens],
    distilled: Mapping[int, Opens],
    settings: EvaluateParams,
) -> tuple[Comparison, Arrays]:
    """Judge all models on the test split.

    Args:
        teacher, students, distilled: how to open each model; the students by seed.
        settings: level of the intervals and the bootstrap over source images.

    Returns:
        the comparison, and the arrays of `plots/compare.npz`: answers to the patches of
        `pick_patches`, and what curves are drawn from.

    Raises:
        EvaluationError: no test pixel is labelled, or the seeds do not match.
    """
    names, labels = dataset.class_names, np.asarray(dataset.labels("test"))
    sources = np.asarray(dataset.source_images("test"))
    bootstrap = Bootstrap(settings.confidence, settings.bootstrap_samples, settings.seed)

    def ask(opens: Opens) -> MaskTally:
        return tally(
            opens(),
            dataset.images("test"),
            labels,
            sources,
            num_classes=dataset.num_classes,
            ignore_label=dataset.ignore_label,
        )

    taught = ask(teacher)
    alone = {seed: ask(students[seed]) for seed in sorted(students)}
    learnt = {seed: ask(distilled[seed]) for seed in sorted(distilled)}
    teacher_scores = taught.scores(names)
    by_seed: dict[str, dict[int, float]] = {}
    summaries: dict[str, SeedScores] = {}
    for kind, tallies in (("student", alone), ("distill", learnt)):
        scores = {seed: found.scores(names) for seed, found in tallies.items()}
        by_seed[kind] = {seed: found.score for seed, found in scores.items()}
        means = mean_scores(list(scores.values())).present()
        del means["mean_iou"], means["interval"]
        summaries[kind] = over_seeds(by_seed[kind], settings.confidence, means)
    by_image = [np.stack([one.confusions for one in kind.values()]) for kind in (learnt, alone)]
    over_images = gain_interval(by_image[0], by_image[1], bootstrap)
    rows = pick_patches(labels, dataset.ignore_label)
    first = min(alone)
    comparison = Comparison(
        rows=len(labels),
        images=int(sources.max()) + 1,
        pixels=int(taught.confusions.sum()),
        teacher=teacher_scores.model_copy(
            update={"interval": mean_iou_interval(taught.confusions, bootstrap)}
        ),
        **summaries,
        gain=gain_of(
            by_seed["distill"],
            by_seed["student"],
            bootstrap=over_images,
            confidence=settings.confidence,
        ),
        teacher_worse_than_student=teacher_scores.score < summaries["student"].mean,
    )
    return comparison, {
        "rows": rows,
        "teacher": taught.predicted[rows],
        "student": alone[first].predicted[rows],
        "distill": learnt[first].predicted[rows],
        "probabilities_teacher": taught.probabilities,
        "probabilities_student": alone[first].probabilities,
        "probabilities_distill": learnt[first].probabilities,
    }


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


def calibrate_masks(
    model: Path,
    dataset: PreparedDataset,
    compressed: Compressed,
    settings: ExitsParams,
    *,
    seen_rows: int,
) -> tuple[Calibration, list[Point]]:
    """Say that the whole network answers: a mask has no early exits to calibrate."""
    return uncalibrated(compressed), []


class MaskComparison(NamedTuple):
    """What N source images, each answered by both models, say of candidate − production.

    Attributes:
        rows: N.
        difference: of the mean IoU over all of them, −1 … 1.
        lower, upper: one-sided bounds of the difference, each at the level asked for.
    """

    rows: int
    difference: float
    lower: float
    upper: float

    def sentence(self, production: str) -> str:
        """Say where the bounds come from."""
        return "The bounds are those of a bootstrap over whole images, each with both masks."


@dataclass(frozen=True)
class MaskScore:
    """What a model answers on the masks of the test split.

    Attributes:
        confusions: int64 [images, classes, classes], by source image, label and answer.
        settings: of a bootstrap.
    """

    confusions: npt.NDArray[np.int64]
    settings: EvaluateParams
    task = Segmentation()

    @property
    def rows(self) -> int:
        """How many source images there are."""
        return len(self.confusions)

    @property
    def value(self) -> float:
        """The mean IoU over all pixels."""
        return self.task.scores(self.confusions.sum(axis=0))[self.task.metric.key]

    def interval(self, confidence: float) -> Interval | None:
        """Give the bootstrap interval of the mean IoU over source images."""
        return mean_iou_interval(self.confusions, self._bootstrap(confidence))

    def paired(
        self, production: "MaskScore", *, method: Method, confidence: float
    ) -> MaskComparison:
        """Compare by a bootstrap over source images, whatever the method asked for.

        Where no image tells the two apart there is nothing to draw from: the bounds are then those
        of the share of images that may do so, each at its worst.
        """
        if self.confusions.shape != production.confusions.shape:
            raise EvaluationError(
                f"got confusions {list(self.confusions.shape)} and "
                f"{list(production.confusions.shape)}; both must be of the same images and classes"
            )
        # The ends of an interval of level 2c − 1 are one-sided bounds of level c.
        bounds = gain_interval(
            self.confusions[None],
            production.confusions[None],
            self._bootstrap(2 * confidence - 1),
        ) or (-1.0, 1.0)
        if np.array_equal(self.confusions, production.confusions):
            upper = -score_lower_bound(0, 0, self.rows, confidence)
            bounds = -upper, upper
        return MaskComparison(self.rows, self.value - production.value, *bounds)

    def _bootstrap(self, confidence: float) -> Bootstrap:
        return Bootstrap(confidence, self.settings.bootstrap_samples, self.settings.seed)


class SegmentationEvaluator:
    """Images whose pixels have a class each; patches of one image are no independent rows."""

    task = Segmentation()
    calibrate = staticmethod(calibrate_masks)
    evaluate = staticmethod(evaluate_masks)
    compare = staticmethod(compare_masks)

    def score(
        self, predictor: Predictor, dataset: PreparedDataset, settings: EvaluateParams
    ) -> MaskScore:
        """Have a model answer the patches of the test split."""
        found = tally(
            predictor.logits,
            dataset.images("test"),
            np.asarray(dataset.labels("test")),
            np.asarray(dataset.source_images("test")),
            num_classes=dataset.num_classes,
            ignore_label=dataset.ignore_label,
        )
        return MaskScore(found.confusions, settings)

    def reference(self, predictor: Predictor, dataset: PreparedDataset) -> Histograms:
        """Count source images by their mean confidence; devices are sent whole ones."""
        confidences = [predictor.predict(patch).confidence for patch in dataset.images("test")]
        sources = np.asarray(dataset.source_images("test"))
        means = np.bincount(sources, weights=confidences) / np.bincount(sources)
        last = predictor.segments.count - 1
        return histograms_of(np.full(len(means), last), means, exits=last + 1)
