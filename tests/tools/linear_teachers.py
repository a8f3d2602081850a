"""Linear teachers of real digits, trained on pixels in a form of their own."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from kdtasks.learn.teachers.preprocessing import Preprocessing

TRAIN, VALIDATION = slice(0, 900), slice(900, 1797)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Real digits, uint8 [N, 8, 8, 3]: a digit in red, shifted in green, and its negative."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))  # writers come one after another
    pixels, labels = pixels[order], labels[order]
    red = np.rint(pixels * 255 / 16).reshape(-1, 8, 8).astype(np.uint8)
    return np.stack([red, np.roll(red, 1, axis=2), 255 - red], axis=-1), labels.astype(np.int32)


IMAGES, LABELS = digits()
GREY = IMAGES[..., :1]
UNIT = Preprocessing("unit", "rgb")
# Weights and biases, for pixels in a form of their own.
Linear = tuple[np.ndarray, np.ndarray]


def regression(pixels: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    with threadpool_limits(1):  # more of them wait for each other on so little
        return LogisticRegression(max_iter=1000).fit(pixels, labels)


def trained(
    preprocessing: Preprocessing, images: np.ndarray = IMAGES, labels: np.ndarray = LABELS
) -> Linear:
    """Learn a logistic regression on images in some form, without any normalisation."""
    pixels = preprocessing.apply(images[TRAIN]).reshape(900, -1)
    largest = np.abs(pixels).max()  # as good for the fit in every form
    model = regression(pixels / largest, labels[TRAIN])
    return model.coef_.T / largest, model.intercept_


def answers(
    linear: Linear, preprocessing: Preprocessing, images: np.ndarray = IMAGES
) -> np.ndarray:
    pixels = preprocessing.apply(images[VALIDATION]).reshape(len(images[VALIDATION]), -1)
    return pixels @ linear[0] + linear[1]
