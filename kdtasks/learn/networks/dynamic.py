"""Early stopping for batches in TensorFlow: only images that are unsure are computed further."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks.multi_exit import MultiExitModel, Segment


class DynamicPredictions(NamedTuple):
    """What a batch of N images is answered.

    Attributes:
        logits: float32 [N, classes], of the exit that each image left at.
        exit_index: int32 [N], that exit, 0…K − 1.
    """

    logits: Tensor
    exit_index: Tensor


Thresholds = float | Sequence[float]


class DynamicNetwork:
    """A classifier that really stops early, batch by batch, wherever TensorFlow runs.

    On a device `kdtasks.edge.Classifier` does the same for one image at a time.
    """

    def __init__(
        self,
        model: MultiExitModel,
        *,
        thresholds: Thresholds,
        temperatures: Sequence[float] | None = None,
        score: str = "max_probability",
    ) -> None:
        """Cut the network into segments and compile them once for batches of any size.

        Args:
            model: K exits that give [batch, classes].
            thresholds: one for each exit but the last, or one for the whole model; an image
                leaves at the first exit whose score is at least its threshold.
            temperatures: [K], as calibrated; 1 by default.
            score: name of the confidence, a key of `SCORES`.

        Raises:
            ModelError: thresholds or temperatures are not one an exit, or there is no such score.
        """
        if score not in SCORES:
            raise ModelError(f"there is no score {score!r}; the scores are {', '.join(SCORES)}")
        if len(model.network.outputs[0].shape) != 2:
            raise ModelError(
                f"the exits of {model.network.name} give {model.network.outputs[0].shape}; early "
                "stopping answers whole images, [batch, classes] was expected"
            )
        self.num_exits = model.num_exits
        self.thresholds = self._per_exit(thresholds)
        self._temperatures = [1.0] * self.num_exits if temperatures is None else temperatures
        if len(self._temperatures) != self.num_exits:
            raise ModelError(
                f"got {len(self._temperatures)} temperatures for {self.num_exits} exits; give one "
                "for each exit, the last included"
            )
        self._score = SCORES[score]
        self._model, self._segments = model, model.segments()
        signature = [
            tf.TensorSpec((None, *model.input_shape), tf.float32),
            tf.TensorSpec((self.num_exits - 1,), tf.float32),
        ]
        self._stop_early = tf.function(self._run_while_unsure, input_signature=signature)
        self._choose_after = tf.function(self._run_everything, input_signature=signature)

    def predict_dynamic(
        self, images: Tensor, thresholds: Thresholds | None = None
    ) -> DynamicPredictions:
        """Run a segment, keep the images that are not yet sure, run the next one on those.

        Args:
            images: raw pixels 0…255, [N, height, width, channels], N at least 1.
            thresholds: for this call, in place of the model's own; as for the constructor.
        """
        return DynamicPredictions(*self._stop_early(*self._inputs(images, thresholds)))

    def predict_all(
        self, images: Tensor, thresholds: Thresholds | None = None
    ) -> DynamicPredictions:
        """Run the whole network on every image and choose afterwards: the same answers, slower."""
        return DynamicPredictions(*self._choose_after(*self._inputs(images, thresholds)))

    def _inputs(self, images: Tensor, thresholds: Thresholds | None) -> tuple[Tensor, Tensor]:
        limits = self.thresholds if thresholds is None else self._per_exit(thresholds)
        return tf.cast(images, tf.float32), tf.constant(limits, tf.float32)

    def _per_exit(self, thresholds: Thresholds) -> np.ndarray:
        early = self.num_exits - 1
        limits = np.asarray(thresholds, np.float64)
        if limits.shape not in ((), (early,)) or np.isnan(limits).any():
            raise ModelError(
                f"thresholds are {thresholds}; one number, or {early}, one for each exit but the "
                "last, was expected"
            )
        # ±1e300 always and never leave, which float32 cannot hold.
        largest = float(np.finfo(np.float32).max)
        return np.broadcast_to(np.clip(limits, -largest, largest), (early,))

    def _run_while_unsure(self, images: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
        logits, features = _run(self._segments[0], {"image": images})
        rows = tf.range(tf.shape(images)[0])
        return self._continue(0, rows, features, logits, (logits, tf.zeros_like(rows)), thresholds)

    def _continue(
        self,
        exit_index: int,
        rows: Tensor,
        features: dict[str, Tensor],
        logits: Tensor,
        answers: tuple[Tensor, Tensor],
        thresholds: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Leave `rows` that are sure at this exit as they are answered, and ask the next exit."""
        if exit_index == self.num_exits - 1:
            return answers
        unsure = self._score(logits, self._temperatures[exit_index]) < thresholds[exit_index]
        staying = tf.boolean_mask(rows, unsure)

        def ask_next() -> tuple[Tensor, Tensor]:
            later = {name for segment in self._segments[exit_index + 1 :] for name in segment.takes}
            kept = {
                name: tf.boolean_mask(tensor, unsure)
                for name, tensor in features.items()
                if name in later
            }
            deeper, given = _run(self._segments[exit_index + 1], kept)
            indices = staying[:, tf.newaxis]
            exits = tf.fill(tf.shape(staying), exit_index + 1)
            updated = (
                tf.tensor_scatter_nd_update(answers[0], indices, deeper),
                tf.tensor_scatter_nd_update(answers[1], indices, exits),
            )
            return self._continue(exit_index + 1, staying, given, deeper, updated, thresholds)

        # A convolution of no images costs time, and some kernels refuse it.
        return tf.cond(tf.size(staying) > 0, ask_next, lambda: answers)

    def _run_everything(self, images: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
        exits = self._model.logits(images)
        sure = [
            self._score(logits, self._temperatures[index]) >= thresholds[index]
            for index, logits in enumerate(exits[:-1])
        ]
        leaves = tf.stack([*sure, tf.fill(tf.shape(images)[:1], True)], axis=1)
        exit_index = tf.argmax(tf.cast(leaves, tf.int32), axis=1, output_type=tf.int32)
        return tf.gather(tf.stack(exits, axis=1), exit_index, axis=1, batch_dims=1), exit_index


def _run(segment: Segment, features: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Give a segment's logits, and the features that are there after it."""
    inputs = [features[name] for name in segment.takes]
    logits, *given = tf.nest.flatten(segment.model(inputs, training=False))
    return logits, features | dict(zip(segment.gives, given, strict=True))


def _max_probability(logits: Tensor, temperature: float) -> Tensor:
    return tf.reduce_max(tf.nn.softmax(logits / temperature), axis=-1)


def _margin(logits: Tensor, temperature: float) -> Tensor:
    largest = tf.math.top_k(tf.nn.softmax(logits / temperature), k=2).values
    return largest[:, 0] - largest[:, 1]


def _entropy(logits: Tensor, temperature: float) -> Tensor:
    log_probabilities = tf.nn.log_softmax(logits / temperature)
    spread = -tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1)
    return 1.0 - spread / np.log(logits.shape[-1])


def _energy(logits: Tensor, temperature: float) -> Tensor:
    return temperature * tf.reduce_logsumexp(logits / temperature, axis=-1)


# As `kdtasks.edge.scores.SCORES`, in TensorFlow.
SCORES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "max_probability": _max_probability,
    "margin": _margin,
    "entropy": _entropy,
    "energy": _energy,
}
