from collections.abc import Callable

import numpy as np

from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams


def test_values_are_scaled_to_bytes(data_params: Callable[..., DataParams]) -> None:
    dataset = read_dataset(data_params("digits"))
    assert dataset.images.shape == (1797, 8, 8, 1)
    # 0…16 · 255 / 16, rounded: 1 → 15.94 → 16, 8 → 127.5 → 128 (even), 16 → 255.
    assert set(np.unique(dataset.images)) >= {0, 16, 128, 255}
    assert len(np.unique(dataset.images)) == 17
    # The first image is a zero whose first row reads 0 0 5 13 9 1 0 0.
    assert dataset.labels[0] == 0
    assert dataset.images[0, 0, :, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]
