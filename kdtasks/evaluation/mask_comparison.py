"""Compare teacher, students and distilled students on masks: mean IoU, paired over seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.evaluation.comparison import Opens, gain_of, over_seeds
from kdtasks.evaluation.mask_bootstrap import Bootstrap, gain_interval, mean_iou_interval
from kdtasks.evaluation.mask_examples import pick_patches
from kdtasks.evaluation.mask_tally import MaskTally, tally
from kdtasks.evaluation.segmentation import mean_figures
from kdtasks.params.shipping import EvaluateParams


def compare_masks(
    dataset: PreparedDataset,
    teacher: Opens,
    students: Mapping[int, Opens],
    distilled: Mapping[int, Opens],
    settings: EvaluateParams,
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Judge all models on the test split.

    Arguments:
        teacher, students, distilled: how to open each model; the students by seed.
        settings: level of the intervals and the bootstrap over source pictures.

    Returns:
        the content of `metrics/compare.json` (docs/files.md), and of `plots/compare.npz`: answers
        to the patches of `pick_patches`, and what curves are drawn from.

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
    teacher_figures = taught.figures(names)
    interval = mean_iou_interval(taught.confusions, bootstrap)
    by_seed: dict[str, dict[int, float]] = {}
    summaries: dict[str, dict[str, Any]] = {}
    for kind, tallies in (("student", alone), ("distill", learnt)):
        figures = [found.figures(names) for found in tallies.values()]
        by_seed[kind] = {
            seed: found["mean_iou"] for seed, found in zip(tallies, figures, strict=True)
        }
        summaries[kind] = {
            **over_seeds(by_seed[kind], settings.confidence),
            **{key: value for key, value in mean_figures(figures).items() if key != "mean_iou"},
        }
    by_picture = [np.stack([one.confusions for one in kind.values()]) for kind in (learnt, alone)]
    over_pictures = gain_interval(by_picture[0], by_picture[1], bootstrap)
    rows = pick_patches(labels, dataset.ignore_label)
    first = min(alone)
    return (
        {
            "rows": len(labels),
            "pictures": int(pictures.max()) + 1,
            "pixels": int(taught.confusions.sum()),
            "teacher": {**teacher_figures, "interval": list(interval) if interval else None},
            **summaries,
            "gain": gain_of(
                by_seed["distill"],
                by_seed["student"],
                bootstrap=over_pictures,
                confidence=settings.confidence,
            ),
            "teacher_worse_than_student": teacher_figures["mean_iou"]
            < summaries["student"]["mean"],
        },
        {
            "rows": rows,
            "teacher": taught.predicted[rows],
            "student": alone[first].predicted[rows],
            "distill": learnt[first].predicted[rows],
            "probabilities_teacher": taught.probabilities,
            "probabilities_student": alone[first].probabilities,
            "probabilities_distill": learnt[first].probabilities,
        },
    )
