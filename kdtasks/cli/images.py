"""Find the images that a command line names, and read them as `prepare` does."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.edge.decoder import DecodedImage, ImageError, quiet_decoding
from kdtasks.edge.formats import FORMATS, IMAGE_LIKE
from kdtasks.edge.predictor import Predictor

MAX_PIXELS = 400_000_000


def find_images(names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Give the path of every image, and of whatever is none what is wrong with it.

    Args:
        names: files, folders (searched through, by suffix, without hidden entries) and patterns
            such as `photos/*.jpg`.

    Yields:
        path and None, or a name and its problem.
    """
    for name in names:
        path = Path(name)
        if path.is_dir():
            paths = [str(inside) for inside in sorted(path.rglob("*")) if _is_image(inside, path)]
            nothing = "no image is in this folder"
        elif path.exists() or not glob.has_magic(name):
            paths, nothing = [name] if path.is_file() else [], "not found"
        else:
            # Path.glob takes no absolute pattern.
            matches = glob.glob(name, recursive=True)  # noqa: PTH207
            paths = sorted(match for match in matches if Path(match).is_file())
            nothing = "no file matches"
        yield from ((each, None) for each in paths)
        if not paths:
            yield name, nothing


def require_images(names: Sequence[str]) -> Iterator[Path]:
    """Give the path of every image; raises a DatasetError for whatever is none."""
    for name, problem in find_images(names):
        if problem:
            raise DatasetError(f"{name}: {problem}; give files, folders or patterns")
        yield Path(name)


def read_fitted(path: Path, predictor: Predictor, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Read an image as a model takes it: the very pixels that `prepare` would have made.

    `.npy` files hold uint8 [height, width] or [height, width, 1 or 3] and are mapped, not read; all
    else is decoded. Up to 400 million pixels are, more than `prepare` takes: whoever names one
    image means it.

    Raises:
        DatasetError: in a few words, that it is no image, is damaged, or needs Pillow.
    """
    try:
        if path.suffix.lower() == ".npy":
            return predictor.decode(_read_array(path))
        with quiet_decoding():
            return predictor.decode(path, max_pixels=max_pixels)
    except ImageError as error:
        if error.kind != "unknown" or not path.is_file():
            raise
        with path.open("rb") as file:
            head = file.read(12)
        found = f"it begins with {head!r}" if head else "it is empty"
        raise DatasetError(f"{error}: {found}; give one of {', '.join(FORMATS)}") from None
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "PIL":
            raise
        height, width, channels = predictor.segments.input_shape
        sides = ("height", "width") if predictor.per_pixel else (height, width)
        shape = ", ".join(map(str, (*sides, channels)))
        raise DatasetError(
            "decoding and resizing need Pillow: pip install pillow, or give .npy files of uint8 "
            f"[{shape}]"
        ) from None


def read_whole(path: Path, predictor: Predictor, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image in its own size, to draw over it: uint8 [height, width, 1 or 3]."""
    if path.suffix.lower() == ".npy":
        return _read_array(path)
    with quiet_decoding():
        return predictor.decoder(max_pixels).read(path).pixels


def _read_array(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"not readable as an array ({error})") from None
    if not isinstance(array, np.ndarray):
        raise DatasetError("an archive of arrays; one array was expected")
    pixels = array[..., np.newaxis] if array.ndim == 2 else array
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] not in (1, 3):
        raise DatasetError(
            f"holds {array.dtype} {list(array.shape)}, uint8 [height, width, 1 or 3] was expected"
        )
    return pixels


def _is_image(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.is_file() and path.suffix.lower() in IMAGE_LIKE | {".npy"}
