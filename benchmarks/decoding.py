"""What decoding takes: JPEG at a smaller scale, what that changes, and `prepare` of large photos.

`python -m benchmarks.decoding` takes the two photos that scikit-learn brings and one of 12
megapixels of noise with a photo's spectrum, whose amplitudes fall as one over the frequency: the
time at the scale that the decoder takes, and by how much values differ from those of the whole.

`--photos FOLDER` decodes all its JPEG files at a half, a quarter and an eighth for sizes that are
1.5, 2, 3 and 4 times smaller than that: mean, 99.9th percentile and largest difference of values.

`--against CHECKOUT` runs the stage `prepare` of that folder's kdtasks and of this one on photos of
12 megapixels, `--images` of them and half as many: seconds of processor and wall time, and the
largest resident memory. This one goes three times: with an empty cache, with a full one, and after
a tenth more photos were added.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_sample_images

from kdtasks.edge.decoder import DecodedImage, Decoder
from kdtasks.edge.images import resized
from kdtasks.params import load_params
from kdtasks.params.write import render_params

SIDES = (32, 64, 96, 128, 224)
QUALITIES = {85: 2, 95: 0}  # of JPEG, and the subsampling of colours
SCALES = (2, 4, 8)
SPARES = (1.5, 2, 3, 4)
_ROUNDS = 5
_ROOT = Path(__file__).parents[1]
# Asked from inside: what a parent is told of its child's memory begins with the parent's own.
_STAGE = """
import pathlib, runpy, time
runpy.run_module("stages.prepare", run_name="__main__")
status = pathlib.Path("/proc/self/status").read_text()
print(time.process_time(), int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


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
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder of JPEG files, of any depth")
    parser.add_argument("--against", type=Path, help="checkout of an earlier version")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", type=int, default=96, help="side that photos are resized to")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.photos:
        table = _differences(sorted(arguments.photos.rglob("*.jp*g")))
    elif arguments.against:
        table = _prepared(arguments.against, arguments.images, arguments.size, arguments.threads)
    else:
        table = _scaled()
    Console(width=100).print(table)


def _scaled() -> Table:
    """An image, a quality and a size a line."""
    table = Table(
        *("image", "quality", "size", "ms", "ms whole", "within 1", "within 2", "largest"),
        title="decoded at a smaller scale, compared with the whole",
    )
    images = {f"photo {number}": each for number, each in enumerate(load_sample_images().images)}
    images["noise, 12 megapixels"] = noise(3000, 4000)
    for name, pixels in images.items():
        for row in _rows(pixels):
            table.add_row(name, *row)
    return table


def _rows(pixels: np.ndarray) -> Iterator[list[str]]:
    decoder = Decoder()
    for quality, subsampling in QUALITIES.items():
        content = _jpeg(pixels, quality, subsampling)
        for side in SIDES:
            if min(pixels.shape[:2]) < 6 * side:
                continue  # which is decoded whole
            small, seconds = _timed(partial(decoder.read, content, image_size=(side, side)))
            large, whole = _timed(partial(_read_whole, decoder, content, side))
            off = np.abs(small.astype(int) - large)
            shares = [f"{(off <= most).mean():.2%}" for most in (1, 2)]
            times = [f"{1000 * each:.0f}" for each in (seconds, whole)]
            yield [str(quality), str(side), *times, *shares, str(off.max())]


def _jpeg(pixels: np.ndarray, quality: int, subsampling: int = 2) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def _read_whole(decoder: Decoder, content: bytes, side: int) -> DecodedImage:
    return decoder.read(decoder.read(content).pixels, image_size=(side, side))


def _timed(work: Callable[[], DecodedImage]) -> tuple[np.ndarray, float]:
    """Do work a few times: its result, and the least processor time in seconds."""
    taken = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        result = work().pixels
        taken.append(time.process_time() - began)
    return result, min(taken)


def _differences(files: list[Path]) -> Table:
    """A scale and a spare a line, over all values of all files."""
    counts: dict[tuple[int, float], Counter[int]] = {}
    for file in files:
        with Image.open(file) as opened:
            whole = opened.convert("RGB")
        width, height = whole.size
        for scale in SCALES:
            for spare in SPARES:
                side = int(min(width, height) // (scale * spare))
                if side < 16:
                    continue
                with Image.open(file) as small:
                    drafted = small.draft(None, (width // scale, height // scale))
                    box = drafted[1] if drafted else None
                    one = np.asarray(resized(small.convert("RGB"), (side, side), box))
                off = np.abs(one.astype(int) - np.asarray(resized(whole, (side, side))))
                values, times = np.unique(off, return_counts=True)
                counted = counts.setdefault((scale, spare), Counter())
                counted.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
    table = Table(
        *("scale", "times the size", "mean", "99.9 % within", "largest", "within 1"),
        title=f"{len(files)} photos at a smaller scale, compared with the whole, of 255",
    )
    for (scale, spare), counted in sorted(counts.items()):
        off = np.repeat(*map(np.array, zip(*sorted(counted.items()), strict=True)))
        most = np.quantile(off, 0.999, method="inverted_cdf")
        figures = f"{off.mean():.2f}", str(most), str(off.max()), f"{(off <= 1).mean():.1%}"
        table.add_row(f"1/{scale}", f"{spare:g}", *figures)
    return table


class Run(NamedTuple):
    """What a stage took: seconds of processor and wall time, and the most memory in MB."""

    processor: float
    wall: float
    memory: float


def _prepared(against: Path, images: int, size: int, threads: int) -> Table:
    """A version, a number of photos and a state of the cache a line."""
    table = Table(
        *("kdtasks", "photos", "processor s", "wall s", "of the other's", "memory MB"),
        title=f"prepare of photos of 12 megapixels at {size}×{size}, {threads} threads",
    )
    original = noise(3000, 4000)
    for count in (images // 2, images):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            _write_project(project, size, threads)
            _write_photos(project, original, range(count))
            before = _run(project, against)
            runs = {"empty cache": _run(project, _ROOT), "full cache": _run(project, _ROOT)}
            _write_photos(project, original, range(count, count + count // 10))
            runs[f"and {count // 10} new"] = _run(project, _ROOT)
        table.add_row("the other", str(count), *_cells(before, before))
        for name, run in runs.items():
            table.add_row(f"this, {name}", str(count), *_cells(run, before))
    return table


def _cells(run: Run, before: Run) -> tuple[str, ...]:
    shares = f"{run.processor / before.processor:.2f} / {run.wall / before.wall:.2f}"
    return f"{run.processor:.1f}", f"{run.wall:.1f}", shares, f"{run.memory:.0f}"


def _write_project(project: Path, size: int, threads: int) -> None:
    text = render_params(load_params(_ROOT / "recipes/mnist-5k.yaml"))
    for old, new in (
        ("source:\n    name: mnist-5k", "source:\n    name: image_folder"),
        ("image_size: null", f"image_size: [{size}, {size}]"),
        ("near_copies: true", "near_copies: false"),  # which they are
        ("threads: 1", f"threads: {threads}"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    (project / "data/raw-unlabelled").mkdir(parents=True)


def _write_photos(project: Path, original: np.ndarray, numbers: range) -> None:
    """Write photos that differ in every pixel, of two classes."""
    for number in numbers:
        path = project / "data/raw" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_jpeg(np.roll(original, 31 * number, axis=(0, 1)), 85))


def _run(project: Path, checkout: Path) -> Run:
    variables = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", _STAGE]
    began = time.monotonic()
    found = subprocess.run(command, cwd=project, env=variables, stdout=subprocess.PIPE, check=True)
    wall = time.monotonic() - began
    processor, memory = map(float, found.stdout.split()[-2:])
    return Run(processor, wall, memory)


if __name__ == "__main__":
    main()
