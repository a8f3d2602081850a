"""Images: forty kinds of damage, one each, to files of every format that is read."""

import gzip
import io
from pathlib import Path

import numpy as np

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import ODD, make_odd
from kdtasks.edge.decoder import Decoder, quiet_decoding

_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_DAMAGES = ("cut", "header", "middle")
_OTHERS = ("text", "zeros", "gzip", "large", "claims", "frames")
KINDS = [
    *(f"{name} {damage}" for name in _FORMATS for damage in _DAMAGES),
    *ODD,
    *_OTHERS,
]


class Images(Attack):
    """Read and resized as `kdtasks predict` does."""

    name, trials = "images", len(KINDS)

    def prepare(self, seeds: Path) -> None:
        from PIL import Image

        draw = np.random.default_rng(0)
        photo = Image.fromarray(draw.integers(0, 256, (60, 80, 3), np.uint8))
        for name in _FORMATS:
            photo.save(seeds / name, name)
        for kind in _OTHERS:
            (seeds / kind).write_bytes(_other(kind, (seeds / "PNG").read_bytes()))

    def listed(self, seeds: Path) -> list[str]:
        """One of each kind."""
        return KINDS

    def attempt(self, case: str | None, seeds: Path, place: Path) -> None:
        kind, path = case, place / "photo.png"
        if kind is None:
            path = seeds / "JPEG"
        elif kind in ODD:
            make_odd(path, kind)
        elif kind in _OTHERS:
            path = seeds / kind
        else:
            name, damage = kind.split()
            path.write_bytes(_damaged((seeds / name).read_bytes(), damage))
        with quiet_decoding():
            Decoder(deep_range=(0, 4095)).read(path, image_size=(32, 32))


def _damaged(content: bytes, damage: str) -> bytes:
    if damage == "cut":
        return content[: len(content) // 2]
    first, last = (4, 40) if damage == "header" else (len(content) // 3, len(content) // 2)
    found = bytearray(content)
    for place in range(first, last, (last - first) // 12):
        found[place] ^= 0xFF
    return bytes(found)


def _other(kind: str, png: bytes) -> bytes:
    from PIL import Image

    if kind == "text":
        return b"<svg onload='alert(1)'/>" * 100
    if kind == "zeros":
        return bytes(100_000)
    if kind == "gzip":
        return gzip.compress(png)
    if kind == "claims":  # 2^31 − 1 pixels a side in a file of some kilobytes
        return png[:16] + b"\x7f\xff\xff\xff" * 2 + png[24:]
    file, side = io.BytesIO(), 7000
    image = Image.new("L", (side, side) if kind == "large" else (8, 8))
    frames = [image] * 2000 if kind == "frames" else []
    image.save(file, "GIF" if frames else "PNG", **({"append_images": frames} if frames else {}))
    return file.getvalue()
