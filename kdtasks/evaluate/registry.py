"""The evaluators that there are, by task."""

from typing import Any

from kdtasks.evaluate.classification import ClassificationEvaluator
from kdtasks.evaluate.evaluator import Evaluator
from kdtasks.evaluate.segmentation import SegmentationEvaluator

_ALL: tuple[Evaluator[Any], ...] = (ClassificationEvaluator(), SegmentationEvaluator())
EVALUATORS = {evaluator.task.name: evaluator for evaluator in _ALL}


def evaluator_of(task: str) -> Evaluator[Any]:
    """Give the evaluator of a dataset's task."""
    return EVALUATORS[task]
