"""The evaluators that there are, by task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdtasks.data.prepared import PreparedDataset
from kdtasks.evaluate.classification import ClassificationEvaluator
from kdtasks.evaluate.evaluator import Evaluator
from kdtasks.evaluate.segmentation import SegmentationEvaluator
from kdtasks.evaluate.settings import EvaluateParams

_ALL: tuple[type[Evaluator[Any]], ...] = (ClassificationEvaluator, SegmentationEvaluator)
EVALUATORS = {evaluator.task.name: evaluator for evaluator in _ALL}


DEFAULTS = EvaluateParams()


def evaluator_of(
    dataset: PreparedDataset,
    settings: EvaluateParams = DEFAULTS,
    split: str = "test",
    parts: Mapping[str, NDArray[np.bool_]] = {},
    folders: Mapping[str, PreparedDataset] = {},
) -> Evaluator[Any]:
    """Give the evaluator of a dataset; calibration and counts do without `settings`."""
    return EVALUATORS[dataset.task](dataset, settings, split, parts, folders)
