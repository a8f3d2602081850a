"""Judge a teacher's answers by the labels of the validation split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kdtasks.data.prepared import PreparedDataset
from kdtasks.tasks.confusion import confusion_matrix, counted

# A difference is clear if luck alone makes it once in so many times, and if not even of the least
# number of groups all would then be on one side.
_LEVEL, _LEAST = 0.01, 7

# Standard errors by which an accuracy is clearly above guessing.
_ERRORS = 3


@dataclass(frozen=True)
class Judge:
    """Labels, and the tests that answers to their images are put to.

    Attributes:
        rows: of the split, integers [N].
        labels: integers [N, …].
        groups: integers [N], from 0; what is of one group counts once.
        ignore_label: the label that counts nowhere.
    """

    rows: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    ignore_label: int | None

    @classmethod
    def of(cls, dataset: PreparedDataset, limit: int) -> Self:
        """Take `limit` labelled images of the validation split at most, always the same.

        A teacher's own answers in the place of labels are none to judge it by.
        """
        labels, groups = dataset.labels("validation"), np.asarray(dataset.groups("validation"))
        rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:limit])
        counts = counted(labels[rows], dataset.ignore_label).reshape(len(rows), -1)
        rows = rows[counts.any(axis=1) & ("validation" not in dataset.teacher_labelled)]
        numbers = np.unique(groups[rows], return_inverse=True)[1]
        return cls(rows, np.asarray(labels[rows]), numbers, dataset.ignore_label)

    def hits(self, logits: np.ndarray) -> np.ndarray:
        """Give the fraction of each image that is answered right, float64 [N]."""
        return self._mean(logits.argmax(axis=-1) == self.labels)

    def losses(self, logits: np.ndarray) -> np.ndarray:
        """Give the cross-entropy of each image, of masks the mean over pixels, float64 [N]."""
        from scipy.special import log_softmax  # takes half a second to import

        truth = np.where(self._counts, self.labels, 0)[..., np.newaxis].astype(np.int64)
        logarithms = log_softmax(logits.astype(np.float64), axis=-1)
        return self._mean(-np.take_along_axis(logarithms, truth, axis=-1)[..., 0])

    def accuracy(self, logits: np.ndarray) -> float:
        """Give the fraction of right answers, over images or pixels."""
        return float((logits.argmax(axis=-1) == self.labels)[self._counts].mean())

    def majority_accuracy(self) -> float:
        """Give the accuracy of always answering the most common class."""
        labels = self.labels[self._counts]
        return float(np.unique(labels, return_counts=True)[1].max() / labels.size)

    def beats_majority(self, accuracy: float) -> bool:
        """Whether an accuracy is clearly above that of the most common class.

        Of so few images that not even all right answers are, it must not be below it.
        """
        majority_accuracy = self.majority_accuracy()
        # An untrained teacher is above its best guess by luck half the time.
        least = (
            majority_accuracy
            + _ERRORS * (majority_accuracy * (1 - majority_accuracy) / self._counts.sum()) ** 0.5
        )
        return bool(accuracy > least if least < 1 else accuracy >= majority_accuracy)

    def fits_clearly_better(self, first: np.ndarray, second: np.ndarray) -> bool:
        """Whether the cross-entropy of answers is lower than that of others beyond luck.

        What sharper answers gain on the many images that are right they lose on the few that are
        wrong, of which there may happen to be none. So one image more counts against them, of which
        the runner-up is the label.
        """
        more = self._runner_up_loss(second) - self._runner_up_loss(first)
        further = [more] if more < 0 else []
        return self.is_clearly_positive(self.losses(second) - self.losses(first), further)

    def is_clearly_positive(self, values: np.ndarray, further: Sequence[float] = ()) -> bool:
        """Whether the mean of paired differences, float [N], is above 0 beyond luck.

        A one-sided t-test over the means of groups. Few of them prove nothing: that six of six are
        on one side is luck once in 64 times.

        Args:
            further: values of groups that are not there.
        """
        from scipy.stats import t

        means = np.bincount(self.groups, values) / np.bincount(self.groups)
        if len(means) < _LEAST:
            return False
        means = np.append(means, further)
        error = means.std(ddof=1) / len(means) ** 0.5
        return bool(means.mean() > t.isf(_LEVEL, len(means) - 1) * error)

    def assign(
        self, logits: np.ndarray, columns: Sequence[int], rows: np.ndarray | slice = slice(None)
    ) -> list[int]:
        """Find the one-to-one assignment of classes to outputs with the most right answers.

        Args:
            logits: float32 [N, …, outputs].
            columns: the assignment that is kept where none is better.
            rows: of the answers that count.
        """
        from scipy.optimize import linear_sum_assignment

        outputs = logits.shape[-1]
        answers = logits[rows].argmax(axis=-1)
        table = confusion_matrix(answers, self.labels[rows], outputs, self.ignore_label)
        gains = table[: len(columns)].astype(float)
        gains[np.arange(len(columns)), columns] += 0.5  # what is only as good is not preferred
        found: list[int] = linear_sum_assignment(gains, maximize=True)[1].tolist()
        return found

    def hits_if_assigned(self, logits: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        """Give `hits` under the best assignment, which is found on the other half of the groups.

        On the same images the best assignment would look better than it is.
        """
        hits, is_odd = np.empty(len(self.labels)), self.groups % 2 == 1
        for half in (is_odd, ~is_odd):
            assigned = self.assign(logits, columns, np.flatnonzero(~half))
            hits[half] = self.hits(logits[..., assigned])[half]
        return hits

    def better_order(
        self, logits: np.ndarray, columns: Sequence[int]
    ) -> tuple[list[int], float] | None:
        """Find the output of each class if another assignment is clearly right more often.

        Args:
            logits: float32 [N, …, outputs].
            columns: the assignment that is doubted.

        Returns:
            the better one and its accuracy on images that it was not found by; None of none.
        """
        hits = self.hits_if_assigned(logits, columns)
        accuracy = float(hits.mean())
        is_better = self.is_clearly_positive(hits - self.hits(logits[..., list(columns)]))
        if not is_better or not self.beats_majority(accuracy):
            return None
        return self.assign(logits, columns), accuracy

    @property
    def _counts(self) -> np.ndarray:
        return counted(self.labels, self.ignore_label)

    def _runner_up_loss(self, logits: np.ndarray) -> float:
        """Give the mean cross-entropy if the second likeliest class were the right one."""
        from scipy.special import logsumexp

        second = np.partition(logits, -2, axis=-1)[..., -2]
        return float(self._mean(logsumexp(logits, axis=-1) - second).mean())

    def _mean(self, values: Any) -> np.ndarray:
        """Average what counts of each image, float64 [N]."""
        flat, counts = (array.reshape(len(self.labels), -1) for array in (values, self._counts))
        mean: np.ndarray = (flat * counts).sum(axis=1, dtype=np.float64) / counts.sum(axis=1)
        return mean
