"""Magnitude pruning by tfmot: the smallest weights become zero while the student trains on.

The file gets smaller once compressed (gzip), not faster: LiteRT multiplies zeros as well (Zhu and
Gupta, arXiv 1710.01878, for the schedule).
"""

from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from kdtasks.compress.fine_tuning import FineTuning
from kdtasks.core.backend import keras, pruning
from kdtasks.core.errors import CompressionError
from kdtasks.core.settings import Count, Fraction, OpenFraction, Section
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Layers whose kernels are pruned.
_PRUNED = ("Conv2D", "Dense")


class MagnitudeParams(Section):
    """tfmot magnitude pruning: the smallest weights become zero; smaller when compressed."""

    sparsity: OpenFraction = Field(
        default=0.8, description="share of zeros at the end in every kernel but depthwise ones"
    )
    pattern: Literal["any", "two_of_four"] = Field(
        default="any",
        description="`any`: the smallest weights of a kernel; `two_of_four`: the smaller two of "
        "every four weights of neighbouring input channels (2:4), for hardware that uses it; "
        "`sparsity` is 0.5 then, and tfmot chooses at the first step, whatever the schedule",
    )
    schedule: Literal["polynomial", "constant"] = Field(
        default="polynomial",
        description="`polynomial`: the sparsity grows by a cubic from `begin` to `end`; "
        "`constant`: it is there from `begin` on, and which weights are zero is settled at `end`",
    )
    begin: Fraction = Field(default=0.0, description="start of pruning, as a share of all steps")
    end: Fraction = Field(
        default=0.6,
        description="end of pruning, as a share of all steps; after it the survivors settle",
    )
    frequency: Count = Field(
        default=20, description="steps between two looks at which weights are the smallest"
    )
    epochs: Count = Field(default=4, description="epochs of pruning and fine-tuning")

    @model_validator(mode="after")
    def _is_possible(self) -> "MagnitudeParams":
        if self.begin >= self.end:
            raise ValueError(f"begin is {self.begin}, end {self.end}; begin must come first")
        if self.pattern == "two_of_four" and self.sparsity != 0.5:
            raise ValueError(
                f"pattern two_of_four zeroes half of the weights, sparsity is {self.sparsity}; "
                "give sparsity 0.5"
            )
        return self


def prune_magnitudes(
    model: MultiExitModel, params: MagnitudeParams, fine_tuning: FineTuning
) -> MultiExitModel:
    """Return the model with `params.sparsity` of every kernel set to zero.

    Arguments:
        model: used up; its layers are wrapped and trained.
    """
    sparsity = pruning()
    schedule = _schedule(sparsity, params, fine_tuning.count_steps(params.epochs))
    settings = {"sparsity_m_by_n": (2, 4)} if params.pattern == "two_of_four" else {}

    def wrap(layer: Any) -> Any:
        if type(layer).__name__ in _PRUNED:
            return sparsity.prune_low_magnitude(layer, pruning_schedule=schedule, **settings)
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
    return pruned.rebuilt(sparsity.strip_pruning(wrapped))


def check_zeros(model: MultiExitModel, params: MagnitudeParams) -> None:
    """Make sure that later passes left the zeros of magnitude pruning alone.

    Raises:
        CompressionError: a kernel has fewer zeros than were asked for.
    """
    for layer in model.network.layers:
        if type(layer).__name__ not in _PRUNED:
            continue
        kernel = layer.get_weights()[0]
        if params.pattern == "two_of_four":
            # Input channels that do not fill a group of four may all stay.
            groups = np.moveaxis(kernel, -2, -1)[..., : kernel.shape[-2] // 4 * 4]
            kept = bool((np.sum(groups.reshape(-1, 4) == 0, axis=1) >= 2).all())
        else:
            # tfmot rounds the number of zeros of each kernel to a whole one.
            kept = np.mean(kernel == 0) >= params.sparsity - 1 / kernel.size - 1e-6
        if not kept:
            raise CompressionError(
                f"layer {layer.name!r} has {np.mean(kernel == 0):.1%} zeros, magnitude pruning "
                f"({params.pattern}) left {params.sparsity:.1%}; a later pass let them grow back"
            )


def _schedule(sparsity: Any, params: MagnitudeParams, steps: int) -> Any:
    """Turn shares of all steps into steps of tfmot's schedule.

    Its last look must be at the very end, or the sparsity stays below what was asked for.
    """
    begin = int(params.begin * steps)
    pruning_steps = max(1, int(params.end * steps) - begin)
    frequency = min(params.frequency, pruning_steps)
    end = begin + pruning_steps - pruning_steps % frequency
    if params.schedule == "constant":
        return sparsity.ConstantSparsity(
            params.sparsity, begin_step=begin, end_step=end, frequency=frequency
        )
    return sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=params.sparsity,
        begin_step=begin,
        end_step=end,
        frequency=frequency,
    )
