"""Files of 16 bits a channel, which Pillow cannot write in colours."""

import struct
import zlib

import numpy as np

# By number of channels: grey, with transparency, RGB, with transparency.
_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def deep_png(values: np.ndarray) -> bytes:
    """Encode uint16 [height, width, 1 to 4] as PNG."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    about = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOURS[channels], 0, 0, 0)
    chunks = [(b"IHDR", about), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def deep_tiff(values: np.ndarray, order: str = "<", *, deflate: bool = False, **tags: int) -> bytes:
    """Encode uint16 [height, width, 3] as TIFF; `order` is of its bytes.

    Further tags are given by number, as `t274=6`.
    """
    height, width, channels = values.shape
    data = values.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if deflate else data
    short, long = 3, 4
    entries = {
        256: (short, width),
        257: (short, height),
        258: (short, None),
        259: (short, 8 if deflate else 1),
        262: (short, 2),
        273: (long, None),
        277: (short, channels),
        278: (short, height),
        279: (long, len(data)),
        **{int(name[1:]): (short, value) for name, value in tags.items()},
    }
    bits = 8 + 2 + 12 * len(entries) + 4
    content = {b"<": b"II", b">": b"MM"}[order.encode()] + struct.pack(f"{order}HI", 42, 8)
    content += struct.pack(f"{order}H", len(entries))
    for tag, (kind, value) in sorted(entries.items()):
        number = channels if tag == 258 else 1
        content += struct.pack(f"{order}HHI", tag, kind, number)
        if tag == 258:
            content += struct.pack(f"{order}I", bits)
        elif tag == 273:
            content += struct.pack(f"{order}I", bits + 2 * channels)
        elif kind == short:
            content += struct.pack(f"{order}HH", value, 0)
        else:
            content += struct.pack(f"{order}I", value)
    content += struct.pack(f"{order}I", 0) + struct.pack(f"{order}{channels}H", *[16] * channels)
    return content + data
