"""What a training run reads: views of the pictures, labels, and the teacher's logits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TrainingExamples:
    """Training arrays, in memory or memory-mapped.

    Epoch e shows picture i in view (i + e − 1) modulo V: every epoch mixes all views, so that
    batch statistics do not swing from one epoch to the next.

    Attributes:
        images: uint8 [V, N, height, width, channels].
        labels: integers [V, N], or [V, N, height, width] for segmentation.
        teacher_logits: float16 [V, N, classes] or None where nothing is distilled.
    """

    images: Any
    labels: Any
    teacher_logits: Any = None

    @property
    def num_examples(self) -> int:
        """Pictures in a view."""
        return int(self.images.shape[1])

    def megabytes(self) -> float:
        """Size of all arrays in MB (1,000,000 bytes)."""
        arrays = [self.images, self.labels, self.teacher_logits]
        return sum(array.nbytes for array in arrays if array is not None) / 1e6

    def in_memory(self) -> "TrainingExamples":
        """Read memory-mapped arrays into memory."""
        return TrainingExamples(
            images=np.ascontiguousarray(self.images),
            labels=np.ascontiguousarray(self.labels),
            teacher_logits=None
            if self.teacher_logits is None
            else np.ascontiguousarray(self.teacher_logits),
        )

    def blocks(
        self, *, epoch: int, order: np.ndarray, batch_size: int, steps_per_block: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield an epoch in blocks of whole batches: images, labels, teacher logits.

        Arguments:
            epoch: number of the epoch, from 1.
            order: int [N], the order of the pictures; those beyond the last whole batch wait for
                an epoch that draws them earlier.
            batch_size: pictures a step.
            steps_per_block: batches in a block; the last block may hold fewer.

        Yields:
            arrays shaped [steps, batch_size, …]; the logits are [steps, batch_size, 0] where there
            is no teacher.
        """
        steps = len(order) // batch_size
        batches = order[: steps * batch_size].reshape(steps, batch_size)
        for start in range(0, steps, steps_per_block):
            rows = batches[start : start + steps_per_block]
            views = (rows + epoch - 1) % len(self.images)
            logits = (
                np.zeros((*rows.shape, 0), np.float16)
                if self.teacher_logits is None
                else self.teacher_logits[views, rows]
            )
            yield self.images[views, rows], self.labels[views, rows], logits
