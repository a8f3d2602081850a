"""Judge what a bundle answers on the masks of the test split."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdtasks.core.records.evaluate import Comparison, Evaluation, SeedScores
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.segmenter import Segmenter
from kdtasks.evaluate.comparison import Opens, gain_of, over_seeds
from kdtasks.evaluate.evaluator import Arrays, Evaluated, EvaluateParams
from kdtasks.evaluate.metrics import mean_scores
from kdtasks.evaluate.pixel_counts import (
    Bootstrap,
    MaskTally,
    gain_interval,
    mean_iou_interval,
    tally,
)
from kdtasks.tasks.confusion import counted


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
    segmenter = Segmenter(bundle)
    images, labels = dataset.images("test"), np.asarray(dataset.labels("test"))
    pictures = np.asarray(dataset.pictures("test"))
    found = tally(
        segmenter.logits,
        images,
        labels,
        pictures,
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
            pictures=len(found.confusions),
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

    Arguments:
        teacher, students, distilled: how to open each model; the students by seed.
        settings: level of the intervals and the bootstrap over source pictures.

    Returns:
        the comparison, and the arrays of `plots/compare.npz`: answers to the patches of
        `pick_patches`, and what curves are drawn from.

    Raises:
        EvaluationError: no test pixel is labelled, or the seeds do not match.
    """
    names, labels = dataset.class_names, np.asarray(dataset.labels("test"))
    pictures = np.asarray(dataset.pictures("test"))
    bootstrap = Bootstrap(settings.confidence, settings.bootstrap_samples, settings.seed)

    def ask(opens: Opens) -> MaskTally:
        return tally(
            opens(),
            dataset.images("test"),
            labels,
            pictures,
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
    by_picture = [np.stack([one.confusions for one in kind.values()]) for kind in (learnt, alone)]
    over_pictures = gain_interval(by_picture[0], by_picture[1], bootstrap)
    rows = pick_patches(labels, dataset.ignore_label)
    first = min(alone)
    comparison = Comparison(
        rows=len(labels),
        pictures=int(pictures.max()) + 1,
        pixels=int(taught.confusions.sum()),
        teacher=teacher_scores.model_copy(
            update={"interval": mean_iou_interval(taught.confusions, bootstrap)}
        ),
        **summaries,
        gain=gain_of(
            by_seed["distill"],
            by_seed["student"],
            bootstrap=over_pictures,
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

    Arguments:
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
