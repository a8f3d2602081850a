"""What a C program needs to know of a bundle, as a header: classes, exits, scales."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdtasks.compress.tflite.graph import Graph
from kdtasks.core.errors import BundleError
from kdtasks.core.files import atomic_file
from kdtasks.edge.manifest import Manifest

_HUGE = 3e38
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can write
_UNIX = 3
_MODE = 0o100644


def exits_header(manifest: Manifest, graphs: Sequence[Graph]) -> str:
    """Write `exits.h`: constants alone, so that it compiles as C and as C++.

    Args:
        manifest: of the bundle.
        graphs: its signatures, in order.

    Raises:
        BundleError: a graph has no image or no logits.
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
    return f"""\
// {_quoted(manifest.name)}, {_quoted(manifest.variant)}; model.tflite {manifest.sha256}
// Written by `kdtasks pack --per-segment`.
#ifndef KDTASKS_EXITS_H_
#define KDTASKS_EXITS_H_

#define KDTASKS_EXITS {manifest.segments}
#define KDTASKS_CLASSES {len(names)}
#define KDTASKS_HEIGHT {height}
#define KDTASKS_WIDTH {width}
#define KDTASKS_CHANNELS {channels}
#define KDTASKS_SCORE_{manifest.score.upper()} 1

// A pixel 0…255 enters as pixel / scale + zero point.
#define KDTASKS_IMAGE_DTYPE {_quoted(image.dtype)}
#define KDTASKS_IMAGE_SCALE {_float(image.scale or 1.0)}
#define KDTASKS_IMAGE_ZERO_POINT {image.zero_point}

{_array("char *const", "class_names", names)}
// Each exit's logits: (value - zero point) * scale, then divided by the temperature.
{_array("float", "logits_scales", [_float(one.scale or 1.0) for one in logits])}
{_array("int", "logits_zero_points", [str(one.zero_point) for one in logits])}
{_array("float", "temperatures", [_float(one) for one in manifest.temperatures])}
// Leave at the first exit whose score is at least its threshold; the last always leaves.
{_array("float", "thresholds", [_float(one) for one in thresholds])}

#endif
"""


def _array(kind: str, name: str, values: Sequence[str]) -> str:
    return f"static const {kind} kdtasks_{name}[{len(values)}] = {{{', '.join(values)}}};"


def _float(value: float) -> str:
    """A float32 to the last bit, with the dot that makes it a floating-point number in C."""
    text = f"{value:.9g}"
    return text + ("f" if set(text) & set(".e") else ".0f")


def _quoted(text: str) -> str:
    """Bytes beyond ASCII as octal numbers, which every compiler takes."""
    plain = set(range(32, 127)) - {ord('"'), ord("\\"), ord("?")}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files side by side into a zip: stored, sorted by name, without dates or owners.

    Args:
        path: replaced whole.
        files: name to content.
    """
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = _UNIX, _MODE << 16
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)
