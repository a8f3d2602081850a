"""Magnitude pruning by tfmot: the smallest weights become zero while the student trains on.

The file gets smaller once compressed (gzip), not faster: LiteRT multiplies zeros as well (Zhu and
Gupta, arXiv 1710.01878, for the schedule).
"""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from kdtasks.compress.passes import PassContext, TrainingPass, passes
from kdtasks.core.backend import keras, pruning
from kdtasks.core.errors import CompressionError
from kdtasks.core.settings import Count, Fraction, OpenFraction, count_of
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Layers whose kernels are pruned.
_PRUNED = ("Conv2D", "Dense")


@passes.register
class Magnitude(TrainingPass):
    """tfmot magnitude pruning: the smallest weights become zero; smaller when compressed."""

    name: ClassVar[str] = "magnitude"
    order: ClassVar[int] = 20

    sparsity: OpenFraction = Field(
        default=0.8, description="fraction of zeros at the end in every kernel but depthwise ones"
    )
    pattern: Literal["any", "two_of_four"] = Field(
        default="any",
        description="`any`: the smallest weights of a kernel; `two_of_four`: the smaller two of "
        "every four weights of neighbouring input channels (2:4), for hardware that uses it; "
        "needs `sparsity` 0.5, and is chosen at the first step",
    )
    schedule: Literal["polynomial", "constant"] = Field(
        default="polynomial",
        description="`polynomial`: sparsity grows by a cubic from `begin` to `end`; `constant`: "
        "it is there from `begin` on, and settled at `end`",
    )
    begin: Fraction = Field(default=0.0, description="start of pruning, as a fraction of all steps")
    end: Fraction = Field(
        default=0.6,
        description="end of pruning, as a fraction of all steps; after it the survivors settle",
    )
    frequency: Count = Field(
        default=20, description="steps between two looks at which weights are the smallest"
    )

    @model_validator(mode="after")
    def _is_possible(self) -> "Magnitude":
        if self.begin >= self.end:
            raise ValueError(f"begin is {self.begin}, end {self.end}; begin must come first")
        if self.pattern == "two_of_four" and self.sparsity != 0.5:
            raise ValueError(
                f"pattern two_of_four zeroes half of the weights, sparsity is {self.sparsity}; "
                "give sparsity 0.5"
            )
        return self

    def apply(self, model: MultiExitModel, context: PassContext) -> MultiExitModel:
        """Return the model with `sparsity` of every kernel set to zero."""
        tfmot = pruning()
        schedule = _schedule(tfmot, self, context.fine_tuning.count_steps(self.epochs))
        settings = {"sparsity_m_by_n": (2, 4)} if self.pattern == "two_of_four" else {}

        def wrap(layer: Any) -> Any:
            if type(layer).__name__ in _PRUNED:
                return tfmot.prune_low_magnitude(layer, pruning_schedule=schedule, **settings)
            return layer

        wrapped = keras.models.clone_model(model.network, clone_function=wrap)
        wrappers = [layer for layer in wrapped.layers if hasattr(layer, "pruning_step")]

        for wrapper in wrappers:
            # The wrapper counts its steps itself, and refuses to begin below 0.
            wrapper.pruning_step.assign(0)
        pruned = MultiExitModel(wrapped, taps=model.taps)
        context.fine_tuning.run(pruned, name=self.name, epochs=self.epochs)
        for wrapper in wrappers:
            wrapper.pruning_obj.weight_mask_op()
        return pruned.rebuilt(tfmot.strip_pruning(wrapped))

    def check(self, model: MultiExitModel) -> None:
        """Make sure that later passes left the zeros alone.

        Raises:
            CompressionError: a kernel has fewer zeros than were asked for.
        """
        for layer in model.network.layers:
            if type(layer).__name__ not in _PRUNED:
                continue
            kernel = layer.get_weights()[0]
            if self.pattern == "two_of_four":
                # Input channels that do not fill a group of four may all stay.
                groups = np.moveaxis(kernel, -2, -1)[..., : kernel.shape[-2] // 4 * 4]
                kept = bool((np.sum(groups.reshape(-1, 4) == 0, axis=1) >= 2).all())
            else:
                # tfmot rounds the number of zeros of each kernel to a whole one.
                kept = np.mean(kernel == 0) >= self.sparsity - 1 / kernel.size - 1e-6
            if not kept:
                raise CompressionError(
                    f"layer {layer.name!r} has {np.mean(kernel == 0):.1%} zeros, magnitude pruning "
                    f"({self.pattern}) left {self.sparsity:.1%}; a later pass let them grow back"
                )


def _schedule(tfmot: Any, settings: Magnitude, steps: int) -> Any:
    """Turn fractions of all steps into steps of tfmot's schedule.

    Its last look must be at the very end, or the sparsity stays below what was asked for.
    """
    begin = count_of(settings.begin, steps)
    pruning_steps = max(1, count_of(settings.end, steps) - begin)
    frequency = min(settings.frequency, pruning_steps)
    end = begin + pruning_steps - pruning_steps % frequency
    when = {"begin_step": begin, "end_step": end, "frequency": frequency}
    if settings.schedule == "constant":
        return tfmot.ConstantSparsity(settings.sparsity, **when)
    return tfmot.PolynomialDecay(0.0, settings.sparsity, **when)
