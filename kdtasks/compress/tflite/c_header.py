"""What a C program needs to know of a bundle, as a header: exits, classes, numbers, memory."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np

from kdtasks.compress.tflite.arena import Arena, feature_offsets
from kdtasks.compress.tflite.graph import Graph, Tensor
from kdtasks.core.errors import BundleError
from kdtasks.edge.manifest import Manifest

_HUGE = 3e38
_OTHER, _UNUSED = -1, -2  # in place of a feature's
_DEEP = "\n// Of 16 bits a channel, {} becomes 0 and {} 255."
_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "float32": "float"}
# Where a name of the file format says nothing of capitals.
_UPPER = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def exits_header(
    manifest: Manifest, graphs: Sequence[Graph], arenas: Mapping[str, Arena] | None
) -> str:
    """Write `exits.h`: constants alone, so that it compiles as C and as C++.

    Args:
        manifest: of the bundle.
        graphs: its signatures, in order.
        arenas: name of the signature to the memory that it takes; None where it is unknown.

    Raises:
        BundleError: a graph has no image or no logits, or numbers that C has none for.
    """
    try:
        image = graphs[0].tensors[graphs[0].inputs["image"]]
        logits = [graph.tensors[graph.outputs["logits"]] for graph in graphs]
    except (KeyError, IndexError):
        raise BundleError("the model is no chain of segments; export it again") from None
    height, width, channels = manifest.input_shape
    names = [_quoted(name) for name in manifest.class_names]
    # Float is what a microcontroller has; 1e300, for never, is beyond it.
    thresholds = [min(max(value, -_HUGE), _HUGE) for value in manifest.thresholds] or [0.0]
    lowest, highest = _limits(image)
    deep_range = manifest.input.get("deep_range")
    deep = _DEEP.format(*deep_range) if deep_range else ""
    sizes = [arenas[graph.signature].total for graph in graphs] if arenas else []
    offsets, feature_bytes = feature_offsets(graphs)
    offsets |= {"image": _OTHER, "logits": _OTHER}
    adds = sorted({_adds(operator.name) for graph in graphs for operator in graph.operators})
    added = "".join(f"    (resolver).{add}(); \\\n" for add in adds)
    return f"""\
// {_quoted(manifest.name)}, {_quoted(manifest.variant)}; model.tflite {manifest.sha256}
// Written by `kdtasks export c`.
#ifndef KDTASKS_EXITS_H_
#define KDTASKS_EXITS_H_

#include <stdint.h>

#define KDTASKS_EXITS {manifest.segments}
#define KDTASKS_CLASSES {len(names)}
// What gets a class each: the image, or the pixels of a mask.
#define KDTASKS_PLACES {prod(logits[0].shape[1:-1])}
#define KDTASKS_HEIGHT {height}
#define KDTASKS_WIDTH {width}
#define KDTASKS_CHANNELS {channels}
#define KDTASKS_SCORE_{manifest.score.upper()} 1

// A pixel 0…255 enters as pixel / scale + zero point; the network itself does all else.{deep}
typedef {_c_type([image])} kdtasks_image_t;
#define KDTASKS_IMAGE_SCALE {_float(image.scale or 1.0)}
#define KDTASKS_IMAGE_ZERO_POINT {image.zero_point}
#define KDTASKS_IMAGE_LOWEST {_float(lowest)}
#define KDTASKS_IMAGE_HIGHEST {_float(highest)}

{_array("char *const", "class_names", names)}
// Each exit's logits: (value - zero point) * scale, then divided by the temperature.
typedef {_c_type(logits)} kdtasks_logits_t;
{_array("float", "logits_scales", [_float(tensor.scale or 1.0) for tensor in logits])}
{_array("int", "logits_zero_points", [str(tensor.zero_point) for tensor in logits])}
{_array("float", "temperatures", [_float(value) for value in manifest.temperatures])}
// Leave at the first exit whose score is at least its threshold; the last always leaves.
{_array("float", "thresholds", [_float(value) for value in thresholds])}

// TensorFlow Lite Micro: {_arena(sizes)}
// Where the features that inputs and outputs hand on have their place, in order: {_OTHER} is the
// image or the logits, {_UNUSED} goes nowhere.
#define KDTASKS_FEATURE_BYTES {max(1, feature_bytes)}
{_table("inputs", [[offsets[name] for name in graph.inputs] for graph in graphs])}
{_table("outputs", [[offsets.get(name, _UNUSED) for name in graph.outputs] for graph in graphs])}
#define KDTASKS_OPERATORS {len(adds)}
#define KDTASKS_ADD_OPERATORS(resolver) \\
  do {{ \\
{added}  }} while (0)

#endif
"""


def _adds(operator: str) -> str:
    """`AddConv2D` of `CONV_2D`: the method of a MicroMutableOpResolver."""
    words = (word if word[0].isdigit() else word.capitalize() for word in operator.split("_"))
    return "Add" + _UPPER.get(operator, "".join(words))


def _arena(sizes: Sequence[int]) -> str:
    if not sizes:
        return "arenas were not measured, since its Python package was not installed."
    return f"""\
bytes of each segment's arena, measured where pointers have 8 bytes.
{_array("int", "arena_bytes", map(str, sizes))}
#define KDTASKS_ARENA_BYTES {max(sizes)}  // of one for all, in turn"""


def _c_type(tensors: Sequence[Tensor]) -> str:
    """C's type of tensors.

    Raises:
        BundleError: they differ, or C has none.
    """
    dtypes = sorted({tensor.dtype for tensor in tensors})
    if len(dtypes) > 1 or dtypes[0] not in _TYPES:
        raise BundleError(
            f"{tensors[0].name} is {' and '.join(dtypes)}; one of {', '.join(_TYPES)} was expected "
            "of all exits, compress to int8"
        )
    return _TYPES[dtypes[0]]


def _limits(image: Tensor) -> tuple[float, float]:
    if image.dtype == "float32":
        return 0.0, 255.0
    limits = np.iinfo(image.dtype)
    return float(limits.min), float(limits.max)


def _array(kind: str, name: str, values: Iterable[str]) -> str:
    cells = list(values)
    return f"static const {kind} kdtasks_{name}[{len(cells)}] = {{{', '.join(cells)}}};"


def _table(name: str, rows: Sequence[Sequence[int]]) -> str:
    width = max(map(len, rows))
    cells = ", ".join(f"{{{', '.join(map(str, row))}}}" for row in rows)
    return f"static const int kdtasks_{name}[{len(rows)}][{width}] = {{{cells}}};"


def _float(value: float) -> str:
    """A float32 to the last bit, with the dot that makes it a floating-point number in C."""
    text = f"{value:.9g}"
    return text + ("f" if set(text) & set(".e") else ".0f")


def _quoted(text: str) -> str:
    """Bytes beyond ASCII as octal numbers, which every compiler takes."""
    plain = set(range(32, 127)) - {ord('"'), ord("\\"), ord("?")}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'
