import numpy as np

from kdtasks.edge.images import fit_image


def test_shrinking_is_free_of_aliasing() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (16, 8))[..., None]
    small = fit_image(stripes, image_size=(4, 4), channels=1)
    assert small.shape == (4, 4, 1)
    assert np.all(np.abs(small.astype(int) - 127) < 20)
