"""What the filters of each layer are worth: mask some of one layer, look, put it back."""

from collections.abc import Sequence
from typing import Any

from kdtasks.compress.pruning.channels import Channels, choose_channels
from kdtasks.compress.pruning.importance import importance
from kdtasks.compress.pruning.removal import mask_channels, reestimate_batch_norm
from kdtasks.core.records.compress import Sensitivity
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.training.examples import Examples
from kdtasks.tasks.confusion import accuracy

# Fractions of a layer's filters that are masked.
RATIOS = (0.25, 0.5, 0.75)

# Validation images that are looked at, at most, and batches for the running statistics.
_IMAGES, _BATCHES = 1000, 2


def sensitivity(
    model: MultiExitModel,
    *,
    rank: str,
    examples: Examples,
    validation: tuple[Any, Any],
    ratios: Sequence[float] = RATIOS,
    ignore_label: int | None = None,
) -> Sensitivity:
    """Measure the last exit without some filters of one layer at a time, not fine-tuned.

    A masked filter is as good as a removed one, and masking needs no other network; running
    statistics are measured anew each time, as after a removal.

    Args:
        model: left as it was.
        rank: which filters go first, as for the pass `filters`.
        examples: training images.
        validation: images and labels; the first thousand are looked at.

    Raises:
        CompressionError: the filters of this network cannot be removed.
    """
    images, labels = (part[:_IMAGES] for part in validation)
    network = model.network
    channels = Channels(network)
    scores = importance(model, channels, rank=rank, examples=examples, ignore_label=ignore_label)
    predictor = ForwardPass(model)

    def measure() -> float:
        return round(accuracy(predictor.classes(images)[-1], labels, ignore_label), 6)

    weights = network.get_weights()
    whole = measure()
    layers: dict[str, dict[str, int | float]] = {}
    groups = channels.groups()
    for producers, numbers in groups.items():
        figures: dict[str, int | float] = {"filters": len(numbers)}
        others = {name: 0.0 for group in groups for name in group if name not in producers}
        for ratio in ratios:
            removed = choose_channels(channels, scores, ratio, ratios=others)
            mask_channels(network, channels, removed.intersection(numbers))
            reestimate_batch_norm(model, examples, batches=_BATCHES)
            figures[f"{ratio:g}"] = measure()
            network.set_weights(weights)
        layers["+".join(producers)] = figures
    return Sensitivity(rows=len(images), accuracy=whole, layers=layers)
