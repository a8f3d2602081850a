"""The evaluators that there are, by task."""

from kdtasks.core.errors import DatasetError
from kdtasks.evaluate.classification import ClassificationEvaluator
from kdtasks.evaluate.evaluator import Evaluator
from kdtasks.evaluate.segmentation import SegmentationEvaluator

_ALL: tuple[Evaluator, ...] = (ClassificationEvaluator(), SegmentationEvaluator())
EVALUATORS = {evaluator.task.name: evaluator for evaluator in _ALL}


def evaluator_of(task: str) -> Evaluator:
    """Give the evaluator of a task.

    Raises:
        DatasetError: there is no such task.
    """
    if task not in EVALUATORS:
        raise DatasetError(f"the task is {task!r}; {' or '.join(EVALUATORS)} was expected")
    return EVALUATORS[task]
