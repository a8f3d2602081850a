"""Judge what a bundle answers on the masks of the test split."""

from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.edge.segmentation import Segmenter
from kdtasks.evaluation.mask_bootstrap import Bootstrap, mean_iou_interval
from kdtasks.evaluation.mask_examples import pick_patches
from kdtasks.evaluation.mask_tally import tally
from kdtasks.evaluation.outputs import EvaluationFiles, write_arrays, write_reliability
from kdtasks.params.shipping import EvaluateParams


def evaluate_masks(
    bundle: Path, dataset: PreparedDataset, settings: EvaluateParams, files: EvaluationFiles
) -> str:
    """Write the files of `evaluate` for a bundle of segmentation; give a sentence about it.

    Arguments:
        bundle: folder of the bundle.
        settings: level of the intervals and the bootstrap over source pictures.
        files: where to write.

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
    content: dict[str, Any] = {
        "rows": len(labels),
        "pictures": len(found.confusions),
        "pixels": int(confusion.sum()),
        **found.figures(dataset.class_names),
        "interval": list(interval) if interval else None,
        "confusion": confusion.tolist(),
        "cost": 1.0,
    }
    files.write_metrics(content)
    write_reliability(files.reliability, [])
    write_arrays(
        files.predictions, labels=labels, predicted=found.predicted, confusions=found.confusions
    )
    rows = pick_patches(labels, dataset.ignore_label)
    write_arrays(
        files.examples,
        rows=rows,
        images=np.asarray(images[rows]),
        labels=labels[rows],
        predicted=found.predicted[rows],
        probabilities=found.probabilities,
    )
    return f"mean IoU {content['mean_iou']:.4f}, pixel accuracy {content['accuracy']:.4f}"
