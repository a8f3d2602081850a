"""From `params.data` to a checked source."""

from collections.abc import Callable

from kdtasks.datasets.checks import (
    leave_out_absent_classes,
    leave_out_contradictions,
    leave_out_leaks,
    refuse_unusable,
)
from kdtasks.datasets.cifar10 import load_cifar10
from kdtasks.datasets.digits import load_digits
from kdtasks.datasets.duplicates import mark_duplicates
from kdtasks.datasets.fashion_mnist import load_fashion_mnist
from kdtasks.datasets.image_folder import load_image_folder
from kdtasks.datasets.mnist_5k import load_mnist_5k
from kdtasks.datasets.segmentation_folder import load_segmentation_folder
from kdtasks.datasets.source import Source
from kdtasks.params.data import DataParams

LOADERS: dict[str, Callable[[DataParams], Source]] = {
    "mnist-5k": load_mnist_5k,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "image_folder": load_image_folder,
    "segmentation_folder": load_segmentation_folder,
}


def load_source(params: DataParams) -> Source:
    """Read the dataset, find duplicates, and leave out or refuse what cannot be used.

    Returns:
        A source with two classes at least, each with a picture, whose `groups` keep duplicates
        (and patches of one picture) together.

    Raises:
        DatasetError: the source cannot be read, or has problems under `on_bad: fail`.
    """
    source = mark_duplicates(LOADERS[params.name](params))
    source = leave_out_absent_classes(leave_out_contradictions(source))
    refuse_unusable(source, params)
    return leave_out_leaks(source)
