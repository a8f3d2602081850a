"""Magnitude pruning by tfmot: the smallest weights become zero while the student trains on.

The file gets smaller once compressed (gzip), not faster: LiteRT multiplies zeros as well (Zhu and
Gupta, arXiv 1710.01878, for the schedule).
"""

from typing import Any

from kdtasks.backend import keras, pruning
from kdtasks.compression.fine_tuning import FineTuning
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.params.compression import MagnitudeParams

# Layers whose kernels are pruned.
_PRUNED = ("Conv2D", "Dense")
# Share of the steps during which the sparsity grows; the rest lets the survivors settle.
_GROWING = 0.6
# Steps between two looks at which weights are the smallest.
_FREQUENCY = 20


def prune_magnitudes(
    model: MultiExitModel, params: MagnitudeParams, fine_tuning: FineTuning
) -> MultiExitModel:
    """Return the model with `params.sparsity` of every kernel set to zero.

    Arguments:
        model: used up; its layers are wrapped and trained.
    """
    sparsity = pruning()
    growing = max(1, int(_GROWING * fine_tuning.count_steps(params.epochs)))
    frequency = min(_FREQUENCY, growing)
    schedule = sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=params.sparsity,
        begin_step=0,
        # The last look must be at the very end, or the sparsity stays below what was asked for.
        end_step=growing - growing % frequency,
        frequency=frequency,
    )

    def wrap(layer: Any) -> Any:
        if type(layer).__name__ in _PRUNED:
            return sparsity.prune_low_magnitude(layer, pruning_schedule=schedule)
        return layer

    wrapped = keras.models.clone_model(model.network, clone_function=wrap)
    wrappers = [layer for layer in wrapped.layers if hasattr(layer, "pruning_step")]

    for wrapper in wrappers:
        # The wrapper counts its steps itself, and refuses to begin below 0.
        wrapper.pruning_step.assign(0)
    pruned = MultiExitModel(wrapped, taps=model.taps)
    fine_tuning.run(pruned, name="magnitude", epochs=params.epochs)
    for wrapper in wrappers:
        wrapper.pruning_obj.weight_mask_op()
    return _rebuilt(sparsity.strip_pruning(wrapped), model.taps)


def _rebuilt(network: Any, taps: tuple[tuple[str, ...], ...]) -> MultiExitModel:
    """Clone into layers that belong to one graph only, which cutting into segments relies on."""
    fresh = keras.models.clone_model(network)
    fresh.set_weights(network.get_weights())
    return MultiExitModel(network=fresh, taps=taps)
