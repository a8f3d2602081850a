"""Images that were decoded once, by the content of their files: a second `prepare` reads them.

No result depends on it: an entry that is damaged, missing or of another decoder is decoded anew,
and a folder that cannot be written keeps none. Entries appear whole: several processes may write.
"""

import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kdtasks.core.code import listing
from kdtasks.core.files import partial_beside
from kdtasks.edge import decoder
from kdtasks.edge.decoder import DecodedImage

MOST_BYTES = 4_000_000_000
_DIGEST = 16
# height, width and channels of the pixels, height and width of the image, whether it is animated
_HEAD = struct.Struct("<5I?")


class DecodedImages:
    """A folder of decoded images; safe in several threads and processes at once."""

    def __init__(self, folder: Path, max_bytes: int = MOST_BYTES) -> None:
        """Remove what was used longest ago, down to half of what may be held.

        Args:
            folder: is made when the first image is put.
            max_bytes: that its files may have.
        """
        self._folder = folder
        self._room = max_bytes - _trim(folder, max_bytes // 2)
        self._lock = threading.Lock()

    def get(self, key: str) -> DecodedImage | None:
        """Give what was put under a key; None where nothing was, or it is damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            body = memoryview(content)[_DIGEST:]
            if _digest(key, body) != content[:_DIGEST]:
                path.unlink(missing_ok=True)
                return None
            os.utime(path)
        except OSError:
            return None
        *shape, height, width, animated = _HEAD.unpack_from(body)
        pixels = np.frombuffer(body, np.uint8, offset=_HEAD.size).reshape(shape)
        return DecodedImage(pixels, (height, width), animated)

    def put(self, key: str, image: DecodedImage) -> None:
        """Keep an image, if there is room for it."""
        head = _HEAD.pack(*image.pixels.shape, *image.size, image.animated)
        body = head + image.pixels.tobytes()
        with self._lock:
            if len(body) > self._room:
                return
            self._room -= len(body) + _DIGEST
        with suppress(OSError), partial_beside(self._path(key)) as partial:
            # Not flushed to the disk: after a power cut the digest tells what is not whole.
            partial.write_bytes(_digest(key, body) + body)
            partial.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key[2:]


def key_of(data: bytes, *settings: object) -> str:
    """Hash a file's content with what else decides its pixels: SHA-256, hex."""
    found = hashlib.sha256(repr((_decoder_version(), *settings)).encode())
    found.update(data)
    return found.hexdigest()


def _digest(key: str, body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST, key=bytes.fromhex(key)).digest()


@cache
def _decoder_version() -> tuple[str, ...]:
    """Name what decodes: our code by its content, Pillow and its codecs by their versions."""
    import PIL
    from PIL import features

    script = Path(decoder.__file__)
    root = script.parents[2]
    codecs = [f"{name} {features.version(name)}" for name in sorted(features.get_supported())]
    if find_spec("pillow_heif"):
        import pillow_heif

        codecs.append(f"heif {pillow_heif.__version__} {pillow_heif.libheif_version()}")
    code = hashlib.sha256(listing(script, root).encode()).hexdigest()
    return code, PIL.__version__, *codecs


def _trim(folder: Path, max_bytes: int) -> int:
    """Remove the files of a folder that were used longest ago; gives the bytes of the others."""
    kept = 0
    for stat, path in sorted(_files(folder), key=lambda file: -file[0].st_mtime_ns):
        if kept + stat.st_size > max_bytes:
            with suppress(OSError):
                path.unlink()
        else:
            kept += stat.st_size
    return kept


def _files(folder: Path) -> Iterator[tuple[os.stat_result, Path]]:
    for path in folder.glob("*/*"):
        with suppress(OSError):  # another process has just removed it
            yield path.stat(), path
