"""A bundle as C: each segment an array, what is known of it a header, and the loop over exits."""

from collections.abc import Mapping
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

from kdtasks.compress.tflite.arena import measure_arenas, split_signatures
from kdtasks.compress.tflite.c_header import exits_header
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.core.errors import BundleError
from kdtasks.core.files import atomic_folder
from kdtasks.edge.bundle_files import MODEL, open_bundle, open_bundle_files

EXAMPLE = Path(__file__).with_name("example.cc")
_WRITTEN = ("segment_*.tflite", "model_segment_*.c", "model_segments.h", "exits.h", "example.cc")
_ROW = 16


def export_c(bundle: Path, folder: Path) -> list[Path]:
    """Write what a C or C++ program for a microcontroller takes of a bundle.

    Each segment becomes `segment_0.tflite`, for compilers that take a file such as Vela, and the
    same bytes as an array in `model_segment_0.c`; `model_segments.h` declares the arrays, `exits.h`
    tells all else, and `example.cc` runs one segment after the other until an exit is sure. Where
    the package tflite-micro is missing, the arenas' bytes and `example.cc`, which needs them, are.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        folder: replaced whole.

    Returns: the files, sorted.

    Raises:
        BundleError: the bundle cannot be used, TensorFlow Lite Micro cannot run it, or the folder
            holds something else.
    """
    open_bundle(bundle)
    with open_bundle_files(bundle) as contents:
        manifest = contents.manifest()
        content = contents.checked(MODEL, manifest.sha256)
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(name for name in present if not any(fnmatch(name, glob) for glob in _WRITTEN))
    if others or folder.is_file():
        raise BundleError(
            f"{folder} holds {', '.join(others) or 'a file'}, which is not to be replaced; give "
            "--to a new folder"
        )
    parts = split_signatures(content)
    arenas = measure_arenas(content) if find_spec("tflite_micro") else None
    files = {
        "exits.h": exits_header(manifest, read_graphs(content), arenas).encode(),
        **({EXAMPLE.name: EXAMPLE.read_bytes()} if arenas else {}),
        "model_segments.h": segments_header(parts).encode(),
        **{f"{name}.tflite": part for name, part in parts.items()},
        **{f"model_{name}.c": _array(name, part).encode() for name, part in parts.items()},
    }
    with atomic_folder(folder) as partial:
        for name, part in files.items():
            (partial / name).write_bytes(part)
    return [folder / name for name in sorted(files)]


def _array(name: str, part: bytes) -> str:
    """The C file of a segment; the format wants its first byte at a multiple of 16."""
    rows = (part[start : start + _ROW] for start in range(0, len(part), _ROW))
    cells = ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in row) for row in rows)
    return (
        '#include "model_segments.h"\n\n'
        f"__attribute__((aligned(16))) const unsigned char kdtasks_{name}[{len(part)}] = "
        f"{{\n{cells}\n}};\n"
    )


def segments_header(parts: Mapping[str, bytes]) -> str:
    """Declare the arrays of segments, for C and C++.

    Args:
        parts: name of each to its `.tflite`, in order.
    """
    declared = "".join(
        f"extern const unsigned char kdtasks_{name}[{len(part)}];\n" for name, part in parts.items()
    )
    return f"""\
#ifndef KDTASKS_MODEL_SEGMENTS_H_
#define KDTASKS_MODEL_SEGMENTS_H_

#ifdef __cplusplus
extern "C" {{
#endif

{declared}
static const unsigned char *const kdtasks_segments[{len(parts)}] = {{
  {", ".join(f"kdtasks_{name}" for name in parts)}
}};

#ifdef __cplusplus
}}
#endif

#endif
"""
