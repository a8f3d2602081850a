"""What a training run reads: views of the images, labels, and what the teacher says of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import TrainingError
from kdtasks.data.stacked_rows import StackedRows, read_rows
from kdtasks.learn.augmentations.mixing import TwoLabels, first_labels

# exp(−60) is below what any sum of probabilities notices, and −60 is well within float16.
_LEAST = -60.0


class Block(NamedTuple):
    """Whole batches of examples, each array [steps, batch_size, …]; or one example.

    Attributes:
        images: uint8 [height, width, channels].
        labels: integers [] or [height, width].
        logits: the teacher's, float16 [classes] or [height, width, classes]; [0] where nothing is
            distilled.
        features: each of the teacher's hidden features, float16.
        mixture: of images that are two in one: the label of the smaller part, int32 [], and the
            fraction of the image that `labels` are of, float32 []; else nothing.
        weights: where labels count differently: how much, float32 []; else nothing.
    """

    images: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    features: tuple[np.ndarray, ...]
    mixture: tuple[np.ndarray, ...] = ()
    weights: tuple[np.ndarray, ...] = ()

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""
        arrays = (*self[:3], *self.features, *self.mixture, *self.weights)
        return sum(array.nbytes for array in arrays)


def block_of(
    images: np.ndarray,
    labels: np.ndarray,
    logits: np.ndarray,
    features: Sequence[np.ndarray],
    weights: Sequence[np.ndarray] = (),
) -> Block:
    """Make a block; of `labels` that are `TwoLabels` the second one goes into its mixture.

    Raises:
        TrainingError: images are mixed, and their labels have weights.
    """
    if labels.dtype != TwoLabels:
        return Block(images, labels, logits, tuple(features), weights=tuple(weights))
    if weights:
        raise TrainingError(
            "labels have weights, which an image of two labels has none of; train without "
            "augmentations that mix images, or without the weights (source.columns: {weight: null})"
        )
    mixture = (labels["partner"], labels["fraction"])
    return Block(images, labels["label"], logits, tuple(features), mixture)


@dataclass(frozen=True)
class Examples(ABC):
    """Where the training loop gets its images from.

    Attributes:
        images, labels: arrays, in memory or memory-mapped.
    """

    images: Any
    labels: Any

    @property
    @abstractmethod
    def num_examples(self) -> int:
        """Images an epoch."""

    @property
    @abstractmethod
    def sample(self) -> Block:
        """One example, for whose shapes and types a training step is compiled."""

    def megabytes(self) -> float:
        """Size of all arrays in MB (1,000,000 bytes)."""
        return (self.images.nbytes + self.labels.nbytes) / 1e6

    def in_memory(self) -> Self:
        """Read memory-mapped arrays into memory."""
        return replace(
            self, **{field.name: _read(getattr(self, field.name)) for field in fields(self)}
        )

    @abstractmethod
    def shown_labels(self, epoch: int) -> npt.NDArray[np.integer]:
        """Give the label of each image as an epoch shows it: integers [N].

        Of an image that is two in one it is that of the larger part.

        Args:
            epoch: number of the epoch, from 1.
        """

    @abstractmethod
    def blocks(
        self, *, epoch: int, order: np.ndarray, batch_size: int, steps_per_block: int
    ) -> Iterator[Block]:
        """Yield an epoch in blocks of whole batches.

        Args:
            epoch: number of the epoch, from 1.
            order: int [N], the order of the images; those beyond the last whole batch wait for
                an epoch that draws them earlier.
            batch_size: images a step.
            steps_per_block: batches in a block at most.
        """


@dataclass(frozen=True)
class TrainingExamples(Examples):
    """Training arrays, in memory or memory-mapped.

    Epoch e shows image i in view (i + e − 1) modulo V: every epoch mixes all views, so that
    batch statistics do not swing from one epoch to the next.

    Attributes:
        images: uint8 [V, N, height, width, channels].
        labels: integers [V, N] or, where images are mixed, `TwoLabels` [V, N]; for segmentation
            integers [V, N, height, width].
        teacher_logits: float16 [V, N, …, classes], packed or not, or None where nothing is
            distilled.
        teacher_features: float16 [V, N, …], one array for each hidden layer of the teacher that
            the student takes hints from.
        weights: float32 [V, N], how much each label counts; None where all do alike.
    """

    teacher_logits: Any = None
    teacher_features: tuple[Any, ...] = ()
    weights: Any = None

    @property
    def num_examples(self) -> int:
        """Images in a view."""
        return int(self.images.shape[1])

    @property
    def sample(self) -> Block:
        """The first example."""
        return self._take(0, 0)

    def megabytes(self) -> float:
        """Size of all arrays in MB (1,000,000 bytes)."""
        answers = [self.teacher_logits, *self.teacher_features]
        taught = sum(array.nbytes for array in answers if array is not None)
        return super().megabytes() + taught / 1e6

    def shown_labels(self, epoch: int) -> npt.NDArray[np.integer]:
        """Give the labels of the views that an epoch shows."""
        rows = np.arange(self.num_examples)
        return first_labels(np.asarray(self.labels[(rows + epoch - 1) % len(self.images), rows]))

    def blocks(
        self, *, epoch: int, order: np.ndarray, batch_size: int, steps_per_block: int
    ) -> Iterator[Block]:
        """Yield an epoch in blocks of whole batches; arguments as in `Examples`."""
        for rows in rows_of_blocks(order, batch_size, steps_per_block):
            yield self._take((rows + epoch - 1) % len(self.images), rows)

    def _take(self, views: Any, rows: Any) -> Block:
        def read(array: Any) -> np.ndarray:
            if not isinstance(array, np.memmap):
                return array[views, rows]
            flat = array.reshape(-1, *array.shape[2:])
            return read_rows(flat, views * array.shape[1] + rows)

        logits = (
            np.zeros((*np.shape(rows), 0), np.float16)
            if self.teacher_logits is None
            else read(self.teacher_logits)
        )
        features = tuple(map(read, self.teacher_features))
        weights = () if self.weights is None else (self.weights[views, rows],)
        return block_of(read(self.images), read(self.labels), logits, features, weights)


def in_views(weights: np.ndarray | None, views: int) -> np.ndarray | None:
    """Repeat the weights of images for each of their views: [N] as [views, N], or None."""
    return None if weights is None else np.broadcast_to(weights, (views, len(weights)))


def rows_of_blocks(
    order: np.ndarray, batch_size: int, steps_per_block: int
) -> Iterator[np.ndarray]:
    """Cut the order of an epoch into blocks: int [steps, batch_size], without the last part."""
    steps = len(order) // batch_size
    batches = order[: steps * batch_size].reshape(steps, batch_size)
    for start in range(0, steps, steps_per_block):
        yield batches[start : start + steps_per_block]


def pack_top_k(
    logits: npt.NDArray[Any], top: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.unsignedinteger]]:
    """Keep the likeliest classes of every row, and what is left for all the others.

    Args:
        logits: float [..., classes].
        top: classes that are kept, 1 … classes − 1.

    Returns:
        float16 [..., top + 1]: logarithms of the probabilities of the kept classes, likeliest
        first, and of the mean probability of each of the others; and the kept classes, unsigned
        integers [..., top].
    """
    from scipy.special import log_softmax  # takes half a second to import

    classes = logits.shape[-1]
    logarithms = log_softmax(logits.astype(np.float32), axis=-1)
    order = np.argsort(-logarithms, axis=-1, kind="stable")
    kept = order[..., :top]
    others = np.take_along_axis(logarithms, order[..., top:], axis=-1)
    largest = others.max(axis=-1, keepdims=True)
    mean = largest + np.log(np.exp(others - largest).mean(axis=-1, keepdims=True))
    values = np.concatenate([np.take_along_axis(logarithms, kept, axis=-1), mean], axis=-1)
    return np.maximum(values, _LEAST).astype(np.float16), kept.astype(index_type(classes))


def index_type(classes: int) -> np.dtype[Any]:
    """Smallest unsigned integers that number so many classes."""
    return np.min_scalar_type(classes - 1)


@dataclass(frozen=True)
class PackedLogits:
    """Packed answers that read as an array of logits, float16 [..., classes].

    What comes out of an index are logarithms of probabilities, in which all but the kept classes
    are alike.

    Attributes:
        values, kept: as of `pack_top_k`, in memory or memory-mapped.
        classes: how many there are.
    """

    values: Any
    kept: Any
    classes: int

    @property
    def nbytes(self) -> int:
        """Bytes that are really held."""
        return int(self.values.nbytes + self.kept.nbytes)

    def __getitem__(self, index: Any) -> npt.NDArray[np.float16]:
        values, kept = np.asarray(self.values[index]), np.asarray(self.kept[index])
        logits = np.repeat(values[..., -1:], self.classes, axis=-1)
        np.put_along_axis(logits, kept.astype(np.int64), values[..., :-1], axis=-1)
        return logits


def _read(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_read, value))
    if isinstance(value, PackedLogits):
        return PackedLogits(_read(value.values), _read(value.kept), value.classes)
    return np.array(value) if isinstance(value, np.memmap | StackedRows) else value
