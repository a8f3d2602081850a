"""How much faster a JPEG is decoded at a smaller scale, and by how much its pixels differ.

`python -m benchmarks.decoding` takes the two photos that scikit-learn brings and one of 12
megapixels of noise with a photo's spectrum, whose amplitudes fall as one over the frequency.
"""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_sample_images

from kdtasks.edge.decoder import Decoded, Decoder

SIDES = (32, 64, 96, 128, 224)
QUALITIES = {85: 2, 95: 0}  # of JPEG, and the subsampling of colours
_ROUNDS = 5


def noise(height: int, width: int) -> np.ndarray:
    """Draw noise of amplitude 1/f: uint8 [height, width, 3]; colours differ less than light."""
    draw = np.random.default_rng(0)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    radius[0, 0] = 1
    planes = []
    for _ in range(4):
        spectrum = draw.normal(size=(2, *radius.shape)) / radius
        plane = np.fft.irfft2(spectrum[0] + 1j * spectrum[1], (height, width))
        planes.append((plane - plane.mean()) / plane.std())
    light, *colours = planes
    values = np.stack([0.8 * light + 0.2 * colour for colour in colours], axis=-1)
    return np.clip(128 + 50 * values, 0, 255).astype(np.uint8)


def main() -> None:
    """Print a table: an image, a quality and a size a line."""
    table = Table(
        *("image", "quality", "size", "ms", "ms whole", "within 1", "within 2", "largest"),
        title="decoded at a smaller scale, compared with the whole",
    )
    images = {f"photo {number}": each for number, each in enumerate(load_sample_images().images)}
    images["noise, 12 megapixels"] = noise(3000, 4000)
    for name, pixels in images.items():
        for row in _rows(pixels):
            table.add_row(name, *row)
    Console(width=100).print(table)


def _rows(pixels: np.ndarray) -> Iterator[list[str]]:
    decoder = Decoder()
    for quality, subsampling in QUALITIES.items():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
        content = file.getvalue()
        for side in SIDES:
            if min(pixels.shape[:2]) < 4 * side:
                continue  # which is decoded whole
            small, seconds = _timed(partial(decoder.read, content, image_size=(side, side)))
            large, whole = _timed(partial(_read_whole, decoder, content, side))
            off = np.abs(small.astype(int) - large)
            shares = [f"{(off <= most).mean():.2%}" for most in (1, 2)]
            times = [f"{1000 * each:.0f}" for each in (seconds, whole)]
            yield [str(quality), str(side), *times, *shares, str(off.max())]


def _read_whole(decoder: Decoder, content: bytes, side: int) -> Decoded:
    return decoder.read(decoder.read(content).pixels, image_size=(side, side))


def _timed(work: Callable[[], Decoded]) -> tuple[np.ndarray, float]:
    """Do work a few times: its result, and the least processor time in seconds."""
    taken = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        result = work().pixels
        taken.append(time.process_time() - began)
    return result, min(taken)


if __name__ == "__main__":
    main()
