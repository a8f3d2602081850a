"""Quantisation-aware training by tfmot: int8 is imitated while the student trains on.

The imitation rounds weights and activations as an int8 file does, and lets gradients through
(Jacob et al., arXiv 1712.05877). What it taught the weights is kept and its own ranges are not:
those of the file come from the calibration split, as for every other int8 variant, so that the
segments of the file still hand their tensors on as they are.
"""

from typing import Any, ClassVar

from kdtasks.compress.fine_tuning import preserve
from kdtasks.compress.passes import PassContext, TrainingPass, passes
from kdtasks.core.backend import keras, quantisation
from kdtasks.core.errors import CompressionError, explained
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Layers that stay as they are: pixels are scaled into the range of int8 anyway, and dropout is
# gone in the file.
_LEFT_ALONE = ("Dropout", "InputLayer", "Rescaling")
_KERNELS = {"Conv2D": "kernel", "Dense": "kernel", "DepthwiseConv2D": "depthwise_kernel"}


@passes.register
class Qat(TrainingPass):
    """Quantisation-aware training by tfmot: the weights learn to live with int8."""

    name: ClassVar[str] = "qat"
    order: ClassVar[int] = 40
    number_formats: ClassVar[tuple[str, ...]] = ("int8",)
    # Those that it leaves are of the rounded network, which is what the file is.
    reestimates_batch_norm: ClassVar[bool] = False

    def apply(self, model: MultiExitModel, context: PassContext) -> MultiExitModel:
        """Return the model with weights that were trained to be rounded to int8.

        Zeros stay zero and equal weights equal, so sparse and clustered networks remain so.

        Raises:
            CompressionError: tfmot knows no int8 form of a layer.
        """
        fresh = keras.models.clone_model(model.network)
        wrapped = _imitate_int8(model.network)
        preserve(wrapped)
        imitation = MultiExitModel(wrapped, taps=model.taps)
        context.fine_tuning.run(imitation, name=self.name, epochs=self.epochs)
        trained = {variable.name: variable for variable in wrapped.weights}
        for variable in fresh.weights:
            variable.assign(trained[variable.name])
        return MultiExitModel(network=fresh, taps=model.taps)


def _imitate_int8(network: Any) -> Any:
    """Wrap every layer by tfmot's 8-bit scheme."""
    tfmot = quantisation()
    registry = tfmot.Registry()

    def annotate(layer: Any) -> Any:
        kind = type(layer).__name__
        if kind in _LEFT_ALONE:
            return layer
        if kind != "BatchNormalization" and not registry.supports(layer):
            raise CompressionError(
                f"layer {layer.name!r} is a {kind}, which tfmot cannot train for int8; "
                "use int8 without qat, or another network"
            )
        return tfmot.annotate(layer)

    annotated = keras.models.clone_model(network, clone_function=annotate)
    problem = "tfmot cannot train this network for int8"
    advice = "use int8 without qat, or another network"
    with explained(CompressionError, problem, advice, RuntimeError, ValueError), tfmot.scope():
        wrapped = tfmot.apply(annotated)
    return keras.models.clone_model(wrapped, clone_function=lambda layer: _mended(tfmot, layer))


def _mended(tfmot: Any, wrapper: Any) -> Any:
    """Round the kernel of a layer right before a ReLU, which tfmot leaves in float.

    Its rule for that pair rightly drops the rounding of the sum before the ReLU, as LiteRT does,
    and that of the kernel with it.
    """
    layer = getattr(wrapper, "layer", None)
    kernel = _KERNELS.get(type(layer).__name__)
    if kernel is None or wrapper.quantize_config.get_weights_and_quantizers(layer):
        return wrapper
    settings = tfmot.KernelConfig if isinstance(layer, keras.layers.Dense) else tfmot.FiltersConfig
    return tfmot.Wrapper(layer, settings([kernel], [], False))
