"""What a task is judged by: the name of its figure in files and on the page."""

from typing import NamedTuple


class Measure(NamedTuple):
    """A figure of 0 … 1, higher is better.

    Attributes:
        key: its name in files.
        name: its name on the page.
        more, less: how a model is that has more or less of it.
    """

    key: str
    name: str
    more: str
    less: str


MEASURES = {
    "classification": Measure("accuracy", "accuracy", "more accurate", "less accurate"),
    "segmentation": Measure("mean_iou", "mean IoU", "better by mean IoU", "worse by mean IoU"),
}
