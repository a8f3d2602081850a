"""Rewrite convolutions of a `.tflite` to work on blocks of 2×2 pixels."""

from itertools import product
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kdtasks.compress.tflite.editing import Tables, copy_tensor, remove_unused, write_model
from kdtasks.compress.tflite.graph import constant_values
from kdtasks.core.errors import ExportError

# Of these operators, the first version that takes int8.
_VERSION = 2
_BLOCK = 2

# Channels and filters that an int8 kernel for matrix units takes at a time.
_TILE = 64


def apply_space_to_depth(content: bytes, *, max_channels: int) -> bytes:
    """Rewrite the convolutions of a `.tflite` that gain by it; what it computes stays.

    Args:
        content: of the file.
        max_channels: convolutions over more channels stay as they are.

    Raises:
        ExportError: none can be rewritten or gains by it; the message says why of the first.
    """
    tables = Tables(content)
    convolutions = [_Convolution(tables, *found) for found in tables.find("CONV_2D")]
    reasons = [convolution.reason_against(max_channels) for convolution in convolutions]
    if all(reasons):
        raise ExportError(
            "space_to_depth finds no convolution to rewrite: "
            f"{reasons[0] if reasons else 'the file has none at all'}; take the pass out of "
            "this variant"
        )
    for convolution, reason in zip(convolutions, reasons, strict=True):
        if not reason:
            convolution.rewrite()
    _join(tables)
    remove_unused(tables.model)
    return write_model(tables.model)


def _join(tables: Tables) -> None:
    """Hand blocks on as blocks between two rewritten convolutions."""
    to_pixels, to_blocks = (
        [pair for pair in tables.find(kind) if pair[1].builtinOptions.blockSize == _BLOCK]
        for kind in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
    )
    for graph, operator in to_blocks:
        made = {
            inverse.outputs[0]: inverse.inputs[0] for other, inverse in to_pixels if other is graph
        }
        pixels, blocks = operator.inputs[0], operator.outputs[0]
        if pixels in made and blocks not in graph.outputs:
            for taker in graph.operators:
                taker.inputs = np.where(taker.inputs == blocks, made[pixels], taker.inputs)
            graph.operators.remove(operator)
    for graph, operator in to_pixels:
        taken = {number for taker in graph.operators for number in taker.inputs}
        if operator.outputs[0] not in taken | set(graph.outputs):
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
        options, weights = self._options, self._weights
        _, height, width, channels = (int(size) for size in self._image.shape)
        filters, *kernel, depth = (int(size) for size in weights.shape)
        dilations = (options.dilationHFactor, options.dilationWFactor)
        is_narrow = channels <= max_channels
        strides_fit = self._strides in ((1, 1), (2, 2))
        gains = strides_fit and gains_by_blocks((filters, *kernel, channels), self._strides[0])
        is_int8 = weights.type == schema.TensorType.INT8
        requirements = {
            f"takes {channels} channels, at most {max_channels} are allowed": is_narrow,
            "needs an even height and width": not (height % _BLOCK or width % _BLOCK),
            "does not pad its input, which it must": options.padding == schema.Padding.SAME,
            f"has strides {self._strides}, which must both be 1 or both be 2": strides_fit,
            "is dilated, which it must not be": dilations == (1, 1),
            "is grouped, which it must not be": depth == channels,
            "does not have int8 weights, which alone gain by it": is_int8,
            "computes its weights, which must be constant": self._values(weights) is not None,
            "would gain nothing by it": gains,
        }
        unmet = next((words for words, holds in requirements.items() if not holds), None)
        sizes = "×".join(str(size) for size in (*kernel, depth, filters))
        return f"the convolution of {sizes} over {height}×{width} pixels {unmet}" if unmet else ""

    def rewrite(self) -> None:
        """Put `SPACE_TO_DEPTH` before it and, with stride 1, `DEPTH_TO_SPACE` behind it."""
        blocks = self._add_blocks(self._image, b"blocks")
        kernel, bias = self._values(self._weights), self._values(self._bias)
        spread = kernel_over_blocks(kernel, self._strides)
        repeats = len(spread) // len(kernel)
        weights = self._add_constant(self._weights, spread, repeats)
        bias = self._add_constant(self._bias, np.tile(bias, repeats), repeats)
        image, pixels = self._operator.inputs[0], self._operator.outputs[0]
        self._operator.inputs = np.array([blocks, weights, bias], np.int32)
        position = next(
            i for i, other in enumerate(self._graph.operators) if other is self._operator
        )
        if self._strides == (1, 1):
            computed = self._add_blocks(self._output, b"block_outputs")
            self._operator.outputs = np.array([computed], np.int32)
            options = schema.DepthToSpaceOptionsT()
            self._insert(position + 1, "DEPTH_TO_SPACE", options, computed, pixels)
        self._options.strideH = self._options.strideW = 1
        self._insert(position, "SPACE_TO_DEPTH", schema.SpaceToDepthOptionsT(), image, blocks)

    def _values(self, tensor: Any) -> Any:
        return constant_values(self._tables.model, tensor)

    def _add_blocks(self, pixels: Any, name: bytes) -> int:
        """Add a computed tensor with the pixels of each block of another as its channels."""
        batch, height, width, channels = (int(size) for size in pixels.shape)
        tensor = copy_tensor(pixels, name)
        shape = [batch, height // _BLOCK, width // _BLOCK, channels * _BLOCK**2]
        tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
        return self._tables.add(self._graph, tensor)

    def _add_constant(self, other: Any, values: np.ndarray, repeats: int) -> int:
        """Add a constant, with the scales of another's filters repeated as the filters are."""
        tensor = copy_tensor(other, other.name)
        scales = tensor.quantization
        if scales is not None and scales.scale is not None and len(scales.scale) > 1:
            scales.scale = np.tile(scales.scale, repeats)
            scales.zeroPoint = np.tile(scales.zeroPoint, repeats)
        return self._tables.add(self._graph, tensor, values)

    def _insert(self, position: int, kind: str, options: Any, taken: int, made: int) -> None:
        """Put an operator between pixels and blocks into the graph."""
        options.blockSize = _BLOCK
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = np.array([taken], np.int32), np.array([made], np.int32)
        self._tables.turn_into(operator, kind, _VERSION, options)
        self._graph.operators.insert(position, operator)


class PairedKernel(NamedTuple):
    """A kernel of one axis when pixels are taken in pairs.

    Attributes:
        size: taps of the kernel over pairs.
        offsets: for each of the outputs of a pair, the pixel of those pairs that its first tap
            looks at.
    """

    size: int
    offsets: list[int]


def pair_up(kernel_size: int, stride: int) -> PairedKernel:
    """Find the taps for an axis of even length with padding `SAME`.

    An output at pixel i looks at the pixels i − p … i − p + k − 1, where p = (k − stride) // 2.
    """
    padding = max(kernel_size - stride, 0) // 2
    firsts = [output - padding for output in range(_BLOCK // stride)]
    before, after = -(firsts[0] // _BLOCK), (firsts[-1] + kernel_size - 1) // _BLOCK
    if (before + after) // 2 != before:  # `SAME` would begin elsewhere
        before = after = max(before, after)
    return PairedKernel(before + after + 1, [_BLOCK * before + first for first in firsts])


def kernel_over_blocks(kernel: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Spread a kernel [filters, height, width, channels] over blocks of 2×2 pixels.

    Returns: [outputs of a block · filters, height, width, 4 · channels], in the order in which
    `SPACE_TO_DEPTH` and `DEPTH_TO_SPACE` number the pixels of a block.
    """
    _, height, width, channels = kernel.shape
    rows, columns = pair_up(height, strides[0]), pair_up(width, strides[1])
    tall, wide = _BLOCK * rows.size, _BLOCK * columns.size
    # Every output of a block is a filter of its own, its kernel shifted among the blocks' pixels.
    over_pixels = [
        np.pad(kernel, ((0, 0), (y, tall - y - height), (x, wide - x - width), (0, 0)))
        for y, x in product(rows.offsets, columns.offsets)
    ]
    shape = (-1, rows.size, _BLOCK, columns.size, _BLOCK, channels)
    over_blocks = np.stack(over_pixels).reshape(shape).swapaxes(2, 3)
    return over_blocks.reshape(-1, rows.size, columns.size, _BLOCK**2 * channels)


def gains_by_blocks(weights: tuple[int, ...], stride: int) -> bool:
    """Whether fewer kernel calls are needed for an image, zeros that fill them up included.

    Args:
        weights: filters, height, width, channels.
        stride: 1 or 2.
    """
    filters, *kernel, channels = weights
    taps = prod(pair_up(size, stride).size for size in kernel)
    outputs = (_BLOCK // stride) ** 2
    before = prod(kernel) * _tiles(channels, filters)
    return taps * _tiles(channels * _BLOCK**2, filters * outputs) / outputs < before


def _tiles(channels: int, filters: int) -> int:
    return ceil(channels / _TILE) * ceil(filters / _TILE)
