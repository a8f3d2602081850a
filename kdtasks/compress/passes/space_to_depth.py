"""Let convolutions over few channels work on blocks of 2×2 pixels: the same sums, fuller kernels.

int8 kernels for matrix units (AMX) take 64 channels in and 64 filters out at a time and fill up
what is missing with zeros, so a first convolution over the three channels of an image takes as
long as one over 64. With the four pixels of a block as channels it has a quarter of the positions,
at the price of zeros in its weights. TensorFlow's compiler does so for TPUs with a first
convolution of stride 2 (tensorflow/compiler/mlir/tensorflow/g3doc/space_to_depth.md).
"""

from collections.abc import Sequence
from itertools import product
from math import ceil, prod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from kdtasks.compress.passes import RewritingPass, passes
from kdtasks.compress.tflite.editing import Tables, remove_unused, write_model
from kdtasks.core.errors import ExportError
from kdtasks.core.settings import Count

# Of these operators, the first version that takes int8.
_VERSION = 2
BLOCK = 2

# Channels and filters that an int8 kernel for matrix units takes at a time.
_TILE = 64


@passes.register
class SpaceToDepth(RewritingPass):
    """Convolutions over few channels work on blocks of 2×2 pixels, so that int8 kernels are full.

    What the file computes stays. It is faster where a processor has matrix units (AMX), and larger.
    """

    name: ClassVar[str] = "space_to_depth"
    order: ClassVar[int] = 50
    number_formats: ClassVar[tuple[str, ...]] = ("int8", "dynamic_int8")
    note: ClassVar[str] = (
        "compute the same numbers as those without; their first convolutions work on blocks of "
        "pixels, and the MACs are the network's."
    )

    max_channels: Count = Field(
        default=4,
        description="convolutions over more channels stay as they are; 4: the first one only. "
        "Each that is rewritten has about 2 to 16 times the weights, most of them zero",
    )

    def rewrite(self, content: bytes) -> bytes:
        """Rewrite the convolutions of a `.tflite` that gain by it; what it computes stays.

        Raises:
            ExportError: none can be rewritten or gains by it; the message says why of the first.
        """
        tables = Tables(content)
        convolutions = [
            _Convolution(tables, graph, operator)
            for graph in tables.model.subgraphs
            for operator in graph.operators
            if tables.is_a(operator, "CONV_2D")
        ]
        reasons = [convolution.reason_against(self.max_channels) for convolution in convolutions]
        if all(reasons):
            raise ExportError(
                "space_to_depth finds no convolution to rewrite: "
                f"{reasons[0] if reasons else 'the file has none at all'}; take the pass out of "
                "this variant"
            )
        for convolution, reason in zip(convolutions, reasons, strict=True):
            if not reason:
                convolution.rewrite()
        for graph in tables.model.subgraphs:
            _join(tables, graph)
        remove_unused(tables.model)
        return write_model(tables.model)


def _join(tables: Tables, graph: Any) -> None:
    """Hand blocks on as blocks between two rewritten convolutions."""
    made = {
        operator.outputs[0]: operator
        for operator in graph.operators
        if tables.is_a(operator, "DEPTH_TO_SPACE") and operator.builtinOptions.blockSize == BLOCK
    }
    for operator in list(graph.operators):
        is_joint = (
            tables.is_a(operator, "SPACE_TO_DEPTH")
            and operator.builtinOptions.blockSize == BLOCK
            and operator.outputs[0] not in graph.outputs
        )
        if is_joint and operator.inputs[0] in made:
            there, blocks = made[operator.inputs[0]].inputs[0], operator.outputs[0]
            for taker in graph.operators:
                taker.inputs = np.where(taker.inputs == blocks, there, taker.inputs)
            graph.operators.remove(operator)
    needed = {number for operator in graph.operators for number in operator.inputs}
    needed |= set(graph.outputs)
    for pixels, operator in made.items():
        if pixels not in needed:
            graph.operators.remove(operator)


class _Convolution:
    """One `CONV_2D` of a graph of the format's schema."""

    def __init__(self, tables: Tables, graph: Any, operator: Any) -> None:
        self._tables, self._graph, self._operator = tables, graph, operator
        self._options = operator.builtinOptions
        self._strides = (int(self._options.strideH), int(self._options.strideW))
        # The converter writes a bias always, for LiteRT's int8 kernels need one.
        tensors = [graph.tensors[number] for number in operator.inputs]
        self._image, self._weights, self._bias = tensors
        self._output = graph.tensors[operator.outputs[0]]

    def reason_against(self, max_channels: int) -> str:
        """Why it stays as it is, beginning with what it is; empty if it gains by blocks."""
        _, height, width, channels = (int(size) for size in self._image.shape)
        filters, *kernel = (int(size) for size in self._weights.shape[:3])
        sizes = "×".join(str(size) for size in (*kernel, self._weights.shape[3], filters))
        name = f"the convolution of {sizes} over {height}×{width} pixels"
        if channels > max_channels:
            return f"{name} takes {channels} channels, at most {max_channels} are allowed"
        if height % BLOCK or width % BLOCK:
            return f"{name} needs an even height and width"
        if self._options.padding != self._tables.schema.Padding.SAME:
            return f"{name} does not pad its input, which it must"
        if self._strides not in ((1, 1), (2, 2)):
            return f"{name} has strides {self._strides}, which must both be 1 or both be 2"
        if (self._options.dilationHFactor, self._options.dilationWFactor) != (1, 1):
            return f"{name} is dilated, which it must not be"
        if self._weights.shape[3] != channels:
            return f"{name} is grouped, which it must not be"
        if self._weights.type != self._tables.schema.TensorType.INT8:
            return f"{name} does not have int8 weights, which alone gain by it"
        if self._tables.buffer(self._weights).data is None:
            return f"{name} computes its weights, which must be constant"
        if not gains_by_blocks((filters, *kernel, channels), self._strides[0]):
            return f"{name} would gain nothing by it"
        return ""

    def rewrite(self) -> None:
        """Put `SPACE_TO_DEPTH` before it and, with stride 1, `DEPTH_TO_SPACE` behind it."""
        stride = self._strides[0]
        blocks = self._tensor_like(self._image, b"blocks", divide=BLOCK)
        kernel = self._tables.values(self._weights)
        spread = kernel_over_blocks(kernel, self._strides)
        repeats = len(spread) // len(kernel)
        weights = self._constant_like(self._weights, spread, repeats)
        bias = self._constant_like(
            self._bias, np.tile(self._tables.values(self._bias), repeats), repeats
        )
        inputs, outputs = list(self._operator.inputs), list(self._operator.outputs)
        self._operator.inputs = np.array([blocks, weights, bias], np.int32)
        self._options.strideH = self._options.strideW = 1
        place = next(i for i, one in enumerate(self._graph.operators) if one is self._operator)
        if stride == 1:
            computed = self._tensor_like(self._output, b"block_outputs", divide=BLOCK)
            self._operator.outputs = np.array([computed], np.int32)
            self._insert(place + 1, "DepthToSpace", [computed], outputs)
        self._insert(place, "SpaceToDepth", inputs[:1], [blocks])

    def _tensor_like(self, other: Any, name: bytes, *, divide: int) -> int:
        """Add a computed tensor with the pixels of each block of another as its channels."""
        batch, height, width, channels = (int(size) for size in other.shape)
        tensor = self._tables.copy(other, name)
        tensor.shape = np.array(
            [batch, height // divide, width // divide, channels * divide**2], np.int32
        )
        tensor.shapeSignature = None
        return self._tables.add(self._graph, tensor)

    def _constant_like(self, other: Any, values: np.ndarray, repeats: int) -> int:
        """Add a constant, with the scales of another's filters repeated as the filters are."""
        tensor = self._tables.copy(other, other.name)
        scales = tensor.quantization
        if scales is not None and scales.scale is not None and len(scales.scale) > 1:
            scales.scale = np.tile(scales.scale, repeats)
            scales.zeroPoint = np.tile(scales.zeroPoint, repeats)
        return self._tables.add(self._graph, tensor, values)

    def _insert(self, place: int, kind: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Put `SpaceToDepth` or `DepthToSpace` into the graph."""
        schema = self._tables.schema
        options = getattr(schema, f"{kind}OptionsT")()
        options.blockSize = BLOCK
        operator = schema.OperatorT()
        name = {"SpaceToDepth": "SPACE_TO_DEPTH", "DepthToSpace": "DEPTH_TO_SPACE"}[kind]
        operator.opcodeIndex = self._tables.opcode(name, _VERSION)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        operator.builtinOptions = options
        self._graph.operators.insert(place, operator)


class Taps(NamedTuple):
    """Where the taps of a kernel of one axis go when pixels are taken in pairs.

    Attributes:
        size: taps of the kernel over pairs.
        places: for each of the outputs of a pair and each old tap: new tap, pixel of the pair.
    """

    size: int
    places: list[list[tuple[int, int]]]


def pair_up(kernel_size: int, stride: int) -> Taps:
    """Find the taps for an axis of even length with padding `SAME`.

    An output at pixel i looks at the pixels i − p … i − p + k − 1, where p = (k − stride) // 2.
    """
    padding = max(kernel_size - stride, 0) // 2
    found = [
        [divmod(output - padding + tap, BLOCK) for tap in range(kernel_size)]
        for output in range(BLOCK // stride)
    ]
    pairs = [pair for places in found for pair, _ in places]
    before, after = -min(pairs), max(pairs)
    if (before + after) // 2 != before:  # `SAME` would begin elsewhere
        before = after = max(before, after)
    return Taps(
        before + after + 1,
        [[(pair + before, pixel) for pair, pixel in places] for places in found],
    )


def kernel_over_blocks(kernel: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Spread a kernel [filters, height, width, channels] over blocks of 2×2 pixels.

    Returns: [outputs of a block · filters, height, width, 4 · channels], in the order in which
    `SPACE_TO_DEPTH` and `DEPTH_TO_SPACE` number the pixels of a block.
    """
    filters, height, width, channels = kernel.shape
    rows, columns = pair_up(height, strides[0]), pair_up(width, strides[1])
    outputs = (len(rows.places), len(columns.places))
    spread = np.zeros(
        (*outputs, filters, rows.size, columns.size, BLOCK, BLOCK, channels), kernel.dtype
    )
    for row, column in product(range(outputs[0]), range(outputs[1])):
        for y, x in product(range(height), range(width)):
            (tap_y, pixel_y), (tap_x, pixel_x) = rows.places[row][y], columns.places[column][x]
            spread[row, column, :, tap_y, tap_x, pixel_y, pixel_x] = kernel[:, y, x]
    return spread.reshape(-1, rows.size, columns.size, BLOCK * BLOCK * channels)


def gains_by_blocks(weights: tuple[int, ...], stride: int) -> bool:
    """Whether fewer kernel calls are needed for an image, zeros that fill them up included.

    Args:
        weights: filters, height, width, channels.
    """
    filters, *kernel, channels = weights
    taps = prod(pair_up(size, stride).size for size in kernel)
    outputs = (BLOCK // stride) ** 2
    before = prod(kernel) * _tiles(channels, filters)
    return taps * _tiles(channels * BLOCK**2, filters * outputs) / outputs < before


def _tiles(channels: int, filters: int) -> int:
    return ceil(channels / _TILE) * ceil(filters / _TILE)
