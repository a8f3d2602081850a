"""The number formats that LiteRT's converter knows."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from kdtasks.compress.number_formats import Feed, NumberFormat, number_formats
from kdtasks.core.backend import tf
from kdtasks.core.settings import Index, Names

# Sound int8 files were off by 0.003 to 0.06, those with ranges of images half as bright by 0.3.
WHOLE_NUMBERS = 0.25


@number_formats.register
class Float32(NumberFormat):
    """Numbers as they were trained."""

    name: ClassVar[str] = "float32"
    tolerance: ClassVar[float] = 1e-4


@number_formats.register
class Float16(NumberFormat):
    """Weights in float16, computed with in float32."""

    name: ClassVar[str] = "float16"
    tolerance: ClassVar[float] = 1e-2

    def configure(self, converter: Any, images: Feed | None) -> None:
        """Ask for weights in float16."""
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]


@number_formats.register
class DynamicInt8(NumberFormat):
    """Weights in int8; activations are float32 and rounded as they come."""

    name: ClassVar[str] = "dynamic_int8"
    tolerance: ClassVar[float] = WHOLE_NUMBERS

    def configure(self, converter: Any, images: Feed | None) -> None:
        """Ask for weights in int8."""
        converter.optimizations = [tf.lite.Optimize.DEFAULT]


class _Ranged(NumberFormat):
    """Weights in int8, activations in whole numbers whose ranges are set by images.

    Attributes:
        operators: name of the operators' set in `tf.lite.OpsSet`.
    """

    tolerance: ClassVar[float] = WHOLE_NUMBERS
    needs_images: ClassVar[bool] = True
    operators: ClassVar[str]

    def configure(self, converter: Any, images: Feed | None) -> None:
        """Ask for whole numbers everywhere."""
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = images
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, self.operators)]


@number_formats.register
class Int8(_Ranged):
    """Weights and activations, inputs and outputs in int8.

    LiteRT has one type for all inputs and outputs, so raw pixels make all of them uint8.
    """

    name: ClassVar[str] = "int8"
    dtype: ClassVar[str] = "int8"
    raw_dtype: ClassVar[str | None] = "uint8"
    operators: ClassVar[str] = "TFLITE_BUILTINS_INT8"

    keep_float: Names = Field(
        default=(),
        description="layers that compute in float32, by the names that the report gives them",
    )
    auto: Index = Field(
        default=0,
        description="keep the layers around this many tensors in float, too: those whose rounding "
        "costs the logits most on calibration images",
    )
    ranges: Literal["min_max", "percentile", "mse"] = Field(
        default="min_max",
        description="values of a tensor that int8 covers: all seen, the middle `percentile` per "
        "cent, or those with the least mean squared error",
    )
    percentile: float = Field(
        default=99.99, gt=50.0, le=100.0, description="per cent covered by `ranges: percentile`"
    )
    per_channel: bool = Field(
        default=True, description="a scale for every filter of a kernel; one for all if false"
    )
    bias_correction: bool = Field(
        default=False, description="biases take back the shift that rounded kernels give the mean"
    )

    @property
    def is_plain(self) -> bool:
        """Whether the converter does all by itself; `auto` is resolved before it is called."""
        return self.model_copy(update={"auto": 0}) == type(self)()

    def optimize(self, content: bytes) -> bytes:
        """Let convolutions take averages, for which there is no fast int8 kernel."""
        # Loads LiteRT, which reading params need not.
        from kdtasks.compress.tflite.average_pooling import pool_as_convolution

        return pool_as_convolution(content)


@number_formats.register
class Int16x8(_Ranged):
    """Weights in int8; activations, inputs and outputs in int16."""

    name: ClassVar[str] = "int16x8"
    dtype: ClassVar[str] = "int16"
    raw_dtype: ClassVar[str | None] = None
    same_size_as: ClassVar[str | None] = "int8"
    operators: ClassVar[str] = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
