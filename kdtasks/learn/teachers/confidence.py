"""How sure the teacher is of images without a label, and which of them it teaches."""

from typing import Any, NamedTuple

import numpy as np

from kdtasks.core.records.data import TeacherConfidence
from kdtasks.learn.teachers.teacher import Teacher

# Bins of the histogram, and images of which the teacher is least sure that the page shows.
_BINS, SHOWN = 10, 12


class Confidence(NamedTuple):
    """How sure the teacher is of each image without a label.

    Attributes:
        values: float64 [N], the probability of its likeliest class; of masks the mean over pixels.
        classes: int64 [N], that class; of masks the one of most pixels.
        min_confidence: below it images are left out.
    """

    values: np.ndarray
    classes: np.ndarray
    min_confidence: float

    @property
    def kept(self) -> np.ndarray:
        """Rows that are taught: int64, ascending."""
        return np.flatnonzero(self.values >= self.min_confidence)

    @property
    def record(self) -> TeacherConfidence:
        """Counts, for the page."""
        counts, _ = np.histogram(self.values, bins=_BINS, range=(0.0, 1.0))
        return TeacherConfidence(
            images=len(self.values),
            excluded=len(self.values) - len(self.kept),
            by_confidence=tuple(counts.tolist()),
        )

    def least_confident(self, images: Any) -> dict[str, np.ndarray]:
        """Give the images of which the teacher is least sure, its answers and how sure it is."""
        rows = np.argsort(self.values, kind="stable")[:SHOWN]
        return {
            "images": np.asarray(images[rows]),
            "classes": self.classes[rows],
            "confidence": self.values[rows],
        }


def confidence_of(
    teacher: Teacher, images: Any, *, min_confidence: float, chunk: int = 1024
) -> Confidence:
    """Ask a teacher about images without a label.

    Args:
        teacher: bound to them (`Teacher.for_images`).
        images: uint8 [N, height, width, channels], as they are.
        min_confidence: as of `Confidence`.
        chunk: images whose answers are held at a time.
    """
    from scipy.special import softmax  # takes half a second to import

    values, classes = [np.empty(0)], [np.empty(0, np.int64)]
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        logits, *_ = teacher.predict(np.asarray(images[rows]), rows)
        flat = softmax(logits, axis=-1).reshape(len(logits), -1, logits.shape[-1])
        values.append(flat.max(axis=-1).mean(axis=-1).astype(np.float64))
        answers = flat.argmax(axis=-1)
        classes.append(np.array([np.bincount(each).argmax() for each in answers], np.int64))
    return Confidence(np.concatenate(values), np.concatenate(classes), min_confidence)
