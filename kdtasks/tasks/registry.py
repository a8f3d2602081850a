"""The tasks that there are, by name."""

from kdtasks.core.errors import DatasetError
from kdtasks.tasks.classification import Classification
from kdtasks.tasks.segmentation import Segmentation
from kdtasks.tasks.task import Metric, Task

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Segmentation())}


def task_of(name: str) -> Task:
    """Give the task of a name.

    Raises:
        DatasetError: there is none.
    """
    if name not in TASKS:
        raise DatasetError(f"the task is {name!r}; {' or '.join(TASKS)} was expected")
    return TASKS[name]


def metric_of(task: Task, key: str | None) -> Metric:
    """Give the metric of a key that the task has, as `evaluate.metric` does; None is its first."""
    return next(metric for metric in task.metrics if key in (None, metric.key))
