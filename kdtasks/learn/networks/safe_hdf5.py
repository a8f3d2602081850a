"""What an HDF5 file reaches for, looked into before a value is read: nothing but itself."""

from typing import Any

from kdtasks.core.errors import ModelError
from kdtasks.core.safe_files import check_size


def check_hdf5(content: Any, stored: int, *, source: str) -> None:
    """Refuse a file that reads others, or that unpacks to far more than it has.

    Args:
        content: `h5py.File`, open for reading.
        stored: the file's bytes.
        source: what it is called in errors.

    Raises:
        ModelError: it has a link but the plain one of a name, or values that other files hold.
        ValueError: its values are far larger than the file.
    """
    import h5py

    claimed, waiting, seen = 0, [content], set()
    while waiting:
        group = waiting.pop()
        for name in group:
            kind = type(group.get(name, getlink=True))
            if kind is not h5py.HardLink:
                _refuse(f"{name!r} is a link ({kind.__name__})", source)
            part = group[name]
            address = h5py.h5o.get_info(part.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(part, h5py.Group):
                waiting.append(part)
            elif isinstance(part, h5py.Dataset):
                if part.external or part.is_virtual:
                    _refuse(f"the values of {part.name!r} are in another file", source)
                claimed += part.size * part.dtype.itemsize if part.shape is not None else 0
    check_size(claimed, stored)


def _refuse(part: str, source: str) -> None:
    raise ModelError(
        f"{source} reads other files than itself: {part}; save the network anew, as a whole"
    )
