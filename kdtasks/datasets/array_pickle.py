"""Read a pickle of plain values and numpy arrays, and refuse any other: a pickle can run code."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.errors import DatasetError


def read_array_pickle(path: Path) -> Any:
    """Unpickle dicts, lists, numbers, bytes and numpy arrays, as Python 2 or 3 wrote them.

    Raises:
        DatasetError: the file is missing, damaged, or names anything beyond numpy arrays.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not there; unpack the official archive again")
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="bytes").load()
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DatasetError(
            f"{path} cannot be unpickled ({error}); download the official archive again"
        ) from None


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for `codecs.encode`, by which protocol 2 spells bytes."""
    if encoding not in ("latin1", b"latin1"):
        raise DatasetError(f"an encoding {encoding!r}, only latin1 was expected")
    return text.encode("latin1")


def _dtype(name: Any, align: int = False, copy: int = False) -> np.dtype[Any]:
    """Stand in for `numpy.dtype`: numpy 2.4 began to warn of the 0 and 1 of old flags."""
    return np.dtype(name, align=bool(align), copy=bool(copy))


def _allowed() -> dict[tuple[str, str], Callable[..., Any]]:
    # An array's own recipe names the function wherever this numpy keeps it.
    reconstruct: Any = np.empty(0).__reduce__()[0]
    return {
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _dtype,
        ("_codecs", "encode"): _latin1_bytes,
    }


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = _allowed()
        if (module, name) not in allowed:
            raise DatasetError(
                f"the pickle names {module}.{name}, only numpy arrays are allowed since anything "
                "else could run code; download the official archive again"
            )
        return allowed[module, name]
