"""Find images that are nearly equal: bursts, video frames, augmented copies.

Amplitudes of low frequencies do not change when an image is shifted or its brightness scaled: pairs
whose amplitudes are alike are candidates. Phases then say by how much one is shifted against the
other, and the pixels, laid over each other, decide: the correlation of their gradients must be
beyond what chance and a common subject give. How much that is depends on how much there is to see:
a digit's strokes fill a tenth of the image, and two ones correlate at 0.97.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.data.spool import Spool
from kdtasks.data.stacked_rows import in_parts, read_rows

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Images are reduced to sides of 64 to 127 pixels; below 16 there is too little to tell copies by.
SIDE, SMALLEST_SIDE = 64, 16
# Shifts that are tried, in pixels of the reduced image, along either axis.
REACH = 3
# Cycles an image up to which amplitudes and phases are compared.
CYCLES = 8
# Grey levels of standard deviation below which an image is plain: noise is all there is.
LEAST_CONTRAST = 2.0
# Cosines of amplitudes and of phases that make a candidate.
LIKE_AMPLITUDES, LIKE_PHASES = 0.6, 0.82
# So many candidates of an image are looked at, the likest ones: of a film of one scene, where all
# pairs are alike, these do to find that it is one.
MOST_CANDIDATES = 100
# What decides: the t statistic of the gradients' correlation, more where much of the image is plain
# or there are no colours, and the correlation of the pixels in all channels, which tells a red sign
# from a green one.
LEAST_T, MORE_IF_PLAIN, LEAST_T_OF_GREY, LEAST_CORRELATION = 40.0, 60.0, 68.0, 0.8
# Of the mean energy of an image's gradient, below which a pixel of it is plain.
PLAIN_ENERGY = 0.02

# In half pixels, since a reduced image hardly ever lies on whole ones of another.
_SHIFTS = np.array(list(product(range(-2 * REACH, 2 * REACH + 1), repeat=2)))
_BLOCK, _PAIRS = 512, 2**16
# Likenesses of images to all others that are held at a time.
_LIKENESSES = 2**26


def near_copies(images: Any, others: Any = None) -> Rows:
    """Find pairs of images that show the same but for brightness, a shift, a codec, a resize.

    Mirrored, turned or cropped images are not found, nor plain ones, nor any below 16 pixels. What
    was measured stands in docs/evidence.md.

    Args:
        images: uint8 [N, height, width, channels], in memory or read by rows.
        others: uint8 [M, height, width, channels], of the same size; None looks among `images`.

    Returns:
        int64 [pairs, 2], rows of `images` and of `others`, in ascending order; of one set the
        smaller row first. Equal images are pairs too, unless they are plain. Of an image with more
        than 100 copies some pairs may be missing.
    """
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        return np.empty((0, 2), np.int64)
    first = _looks(images)
    second = first if others is None else _looks(others)
    likely = np.concatenate(list(_likely(first, second)) or [np.empty((0, 3), np.int64)])
    found = np.concatenate([likely[:0, :2], *_confirmed(first, second, likely)])
    pairs = np.stack([first.rows[found[:, 0]], second.rows[found[:, 1]]], axis=1)
    return pairs[np.lexsort(pairs.T[::-1])]


class _Looks(NamedTuple):
    """What images that are not plain look like.

    Attributes:
        images: all of them.
        rows: int64 [n], which ones they are.
        spectra: complex64 [n, F], low frequencies of the gradient of the grey image, unit vectors.
        amplitudes: float32 [n, F], their logarithms, centred, unit vectors.
    """

    images: Any
    rows: Rows
    spectra: npt.NDArray[np.complex64]
    amplitudes: Floats

    def reduced(self, places: Rows) -> npt.NDArray[np.uint8]:
        """Reduce some of them: uint8 [places, height, width, channels]."""
        return _reduced(read_rows(self.images, self.rows[places]))


def _looks(images: Any) -> _Looks:
    height, width = _reduced_size(images)
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    down, across = _frequencies((height, width))
    radius = np.hypot(down, across)
    rows: list[Rows] = []
    spooled = Spool(), Spool()
    for start in range(0, max(1, len(images)), _BLOCK):
        block = images[start : start + _BLOCK]
        grey = np.concatenate(
            [_reduced(part).mean(axis=3, dtype=np.float32) for part in in_parts(block)]
        )
        seen = np.flatnonzero(grey.std(axis=(1, 2)) >= LEAST_CONTRAST)
        grey = grey[seen] - grey[seen].mean(axis=(1, 2), keepdims=True)
        spectra = np.fft.rfft2(grey * window)[:, down, across] * radius
        steep = np.abs(spectra) * radius**0.5
        # relative to the image's own mean, so that contrast does not count
        steep /= np.maximum(np.sqrt((steep**2).mean(axis=1, keepdims=True)), 1e-9)
        logarithms = np.log(steep + 0.3)
        rows.append(start + seen)
        spooled[0].extend(_unit(spectra).astype(np.complex64))
        spooled[1].extend(
            _unit(logarithms - logarithms.mean(axis=1, keepdims=True)).astype(np.float32)
        )
    return _Looks(images, np.concatenate(rows), *(np.asarray(column.array()) for column in spooled))


def _reduced_size(images: Any) -> tuple[int, int]:
    height, width = (side // (side // SIDE or 1) for side in images.shape[1:3])
    return height, width


def _reduced(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Average blocks of pixels, so that sides are of 64 to 127 pixels; small images stay."""
    count, height, width, channels = images.shape
    down, across = (side // SIDE or 1 for side in (height, width))
    if down == across == 1:
        return images
    whole = images[:, : height // down * down, : width // across * across]
    blocks = whole.reshape(count, height // down, down, width // across, across, channels)
    return np.rint(blocks.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)


def _frequencies(shape: tuple[int, int]) -> tuple[Rows, Rows]:
    """Cycles down and across, of one half plane; as indices they choose from `rfft2`."""
    down, across = np.mgrid[-CYCLES : CYCLES + 1, : CYCLES + 1].reshape(2, -1)
    kept = (np.hypot(down, across) <= CYCLES) & ((across > 0) | (down > 0))
    kept &= (abs(down) <= (shape[0] - 1) // 2) & (across <= (shape[1] - 1) // 2)
    return down[kept], across[kept]


def _basis(shape: tuple[int, int]) -> Floats:
    """Turn the product of two spectra, real and imaginary parts in turn, into a cosine a shift."""
    down, across = _frequencies(shape)
    angles = np.pi * 2 * np.stack([down / shape[0], across / shape[1]], axis=1) @ _SHIFTS.T / 2
    parts = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return parts.reshape(-1, len(_SHIFTS)).astype(np.float32)


def _likely(first: _Looks, second: _Looks) -> Iterator[Rows]:
    """Give pairs alike in amplitudes and phases, and the place of their shift in `_SHIFTS`."""
    basis, among_one = _basis(_reduced_size(first.images)), first is second
    size = max(1, min(_BLOCK, _LIKENESSES // max(1, len(second.rows))))
    for start in range(0, len(first.rows), size):
        columns = second.amplitudes[start if among_one else 0 :]
        likeness = first.amplitudes[start : start + size] @ columns.T
        if among_one:
            height, width = likeness.shape
            likeness[np.tril_indices(height, 0, width)] = -1  # pairs that come the other way round
        limits = np.full(len(likeness), LIKE_AMPLITUDES, np.float32)
        crowded = np.flatnonzero((likeness >= LIKE_AMPLITUDES).sum(axis=1) > MOST_CANDIDATES)
        for row in crowded:
            limits[row] = np.partition(likeness[row], -MOST_CANDIDATES)[-MOST_CANDIDATES]
        one, other = np.nonzero(likeness >= limits[:, None])
        other += start if among_one else 0
        for part in range(0, len(one), _PAIRS):
            rows = one[part : part + _PAIRS] + start, other[part : part + _PAIRS]
            cosines = _products(first.spectra[rows[0]], second.spectra[rows[1]]) @ basis
            kept = cosines.max(axis=1) >= LIKE_PHASES
            yield np.stack([*rows, cosines.argmax(axis=1)], axis=1)[kept]


def _products(one: npt.NDArray[np.complex64], other: npt.NDArray[np.complex64]) -> Floats:
    """Real and imaginary parts, in turn, of one spectrum times the other's conjugate."""
    products = other.conj()
    products *= one
    return products.view(np.float32)


def _confirmed(first: _Looks, second: _Looks, likely: Rows) -> Iterator[Rows]:
    """Give the pairs whose pixels are alike at a shift next to the one that phases gave."""
    for place in np.unique(likely[:, 2]):
        same = likely[likely[:, 2] == place]
        away = np.abs(_SHIFTS - _SHIFTS[place]).max(axis=1)
        near = _SHIFTS[np.argsort(away, kind="stable")][: np.count_nonzero(away <= 2)]
        for start in range(0, len(same), _BLOCK):
            pairs = same[start : start + _BLOCK, :2]
            one: Any = first.reduced(pairs[:, 0])
            other: Any = second.reduced(pairs[:, 1])
            slopes: Any = _gradients(one)
            others: Any = _gradients(other)
            limits = np.maximum(_least_t(one, slopes), _least_t(other, others))
            for order, shift in enumerate(near):
                found = _t_statistics(*_laid_over(slopes, others, shift))
                done = found >= limits
                laid = _laid_over(one[done], other[done], shift)
                yield pairs[done][_correlations(*laid) >= LEAST_CORRELATION]
                rest = ~done & ((order > 0) | (3 * found >= limits))
                pairs, one, other, slopes, others, limits = (
                    part[rest] for part in (pairs, one, other, slopes, others, limits)
                )


def _gradients(images: npt.NDArray[np.uint8]) -> Floats:
    """Slopes of the grey image, smoothed: float32 [n, height − 4, width − 4, 2]."""
    grey = images.mean(axis=3, dtype=np.float32)
    for _ in range(2):
        grey = grey[:, :-1] + grey[:, 1:]
        grey = (grey[:, :, :-1] + grey[:, :, 1:]) / 4
    down = grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    across = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    return np.stack([down, across], axis=-1)


def _least_t(images: npt.NDArray[np.uint8], slopes: Floats) -> npt.NDArray[np.float64]:
    """The t statistic that a pair with each of these images has to reach: [n]."""
    energies = np.einsum("nijk,nijk->nij", slopes, slopes)
    plain = energies < PLAIN_ENERGY * energies.mean(axis=(1, 2), keepdims=True)
    is_grey = np.ptp(images, axis=3).mean(axis=(1, 2)) < 1
    limits = LEAST_T + MORE_IF_PLAIN * plain.mean(axis=(1, 2))
    return np.where(is_grey, np.maximum(limits, LEAST_T_OF_GREY), limits)


def _laid_over(one: npt.NDArray, other: npt.NDArray, shift: Rows) -> tuple[Floats, Floats]:
    """The middle of one image, and what the shift, in half pixels, lays over it of the other."""
    height, width = (side - 2 * REACH for side in one.shape[1:3])
    middle = one[:, REACH : REACH + height, REACH : REACH + width].astype(np.float32)
    (down, low), (across, right) = (divmod(2 * REACH + step, 2) for step in shift.tolist())
    moved = other[:, down : down + height + low, across : across + width + right]
    moved = moved.astype(np.float32)
    if low:
        moved = (moved[:, :-1] + moved[:, 1:]) / 2
    if right:
        moved = (moved[:, :, :-1] + moved[:, :, 1:]) / 2
    return middle, moved


def _t_statistics(one: Floats, other: Floats) -> npt.NDArray[np.float64]:
    """t = r √(n / (1 − r²)) of gradients [n, height, width, 2]; n are the pixels with detail.

    n is (Σe)² / Σe² of the energies e of a gradient's pixels, the smaller of both images'.
    """
    energies = [np.einsum("nijk,nijk->nij", slopes, slopes) for slopes in (one, other)]
    totals = [energy.sum(axis=(1, 2)) for energy in energies]
    squares = [np.einsum("nij,nij->n", energy, energy) for energy in energies]
    detail = np.minimum(
        *(total**2 / np.maximum(sum_, 1e-9) for total, sum_ in zip(totals, squares, strict=True))
    )
    products = np.einsum("nijk,nijk->n", one, other)
    correlation = products / np.maximum(np.sqrt(totals[0] * totals[1]), 1e-9)
    unexplained = np.maximum(1 - correlation.astype(np.float64) ** 2, 1e-6)
    return correlation * np.sqrt(detail / unexplained)


def _correlations(one: Floats, other: Floats) -> Floats:
    """Pearson's correlation over all pixels and channels: [n]."""
    flat = [part.reshape(len(part), int(np.prod(part.shape[1:]))) for part in (one, other)]
    flat = [_unit(part - part.mean(axis=1, keepdims=True)) for part in flat]
    return (flat[0] * flat[1]).sum(axis=1)


def _unit(vectors: npt.NDArray) -> npt.NDArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
