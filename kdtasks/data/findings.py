"""What a dataset looks like before anything is trained: what the page of `preview` shows."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.files import atomic_folder, write_arrays
from kdtasks.core.records.findings import (
    Copies,
    CopyPair,
    FileSize,
    Findings,
    Listed,
    MaskClass,
    Masks,
    Oddity,
    Shown,
)
from kdtasks.data.checks import same_images, shared_rows
from kdtasks.data.outliers import Levels, Outlier, image_outliers, levels_of, size_outliers
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.spool import chosen
from kdtasks.edge.images import resize_mask
from kdtasks.tasks.registry import task_of

RECORD, THUMBNAILS = "findings.json", "thumbnails.npz"

# Longest side of a thumbnail, in pixels.
THUMBNAIL = 80
# Of the contact sheet; of more classes the rarest and the commonest halves.
MOST_CLASSES, _MOST_SAMPLES, _FEWEST, _MOST_OF_CLASS = 40, 160, 2, 12
_MOST_ODD, _MOST_PAIRS = 10, 16
_MOST_SIZES = 500
BRIGHTNESS_BINS = 32


class DataOverview(NamedTuple):
    """A record and the thumbnails that it names.

    Attributes:
        images: uint8 [M, height, width, channels].
        masks: uint8 [M, height, width], labels of them; None where images have one class each.
    """

    findings: Findings
    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8] | None


def overview_of(dataset: RawDataset) -> DataOverview:
    """Find what a person should see of a dataset, as of `read_grouped_dataset`."""
    examiner = _Examiner(dataset)
    findings = Findings(
        files=len(dataset.headers),
        formats=dict(Counter(header.format for _, header in dataset.headers).most_common()),
        deep=sum(header.deep for _, header in dataset.headers),
        sizes=_sizes(dataset),
        brightness=_brightness(examiner.levels),
        samples=examiner.samples(),
        outliers=examiner.outliers(),
        copies=examiner.copies(),
        masks=_masks(dataset, examiner) if examiner.per_pixel else None,
    )
    return DataOverview(findings, *examiner.thumbnails())


def write_overview(folder: Path, overview: DataOverview) -> None:
    """Write `findings.json` and `thumbnails.npz`; the folder appears whole or not at all."""
    arrays = {"images": overview.images} | (
        {} if overview.masks is None else {"masks": overview.masks}
    )
    with atomic_folder(folder) as partial:
        overview.findings.write(partial / RECORD)
        write_arrays(partial / THUMBNAILS, **arrays)


def read_overview(folder: Path) -> DataOverview:
    """Read what `write_overview` wrote.

    Raises:
        KdTasksError: it is missing or damaged.
    """
    findings = Findings.read(folder / RECORD)
    with np.load(folder / THUMBNAILS, allow_pickle=False) as arrays:
        return DataOverview(findings, arrays["images"], arrays.get("masks"))


class _Examiner:
    """Chooses rows of a dataset, and gives each that is shown a thumbnail."""

    def __init__(self, dataset: RawDataset) -> None:
        self._dataset = dataset
        self.per_pixel = task_of(dataset.task).per_pixel
        self._places: dict[int, int] = {}
        self.levels = levels_of(dataset.images)

    def source(self, row: int) -> str:
        """Name what a row was cut from."""
        name = self._dataset.origins[row]
        return name.rpartition("[")[0] if self.per_pixel else name

    def thumbnails(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        """Images, and masks if there are any, of all that was shown."""
        rows = list(self._places)
        images = self._dataset.images
        size = _fitted(images.shape[1:3])
        small = [_smaller(images[row], size) for row in rows]
        pixels = np.stack(small) if small else np.empty((0, *size, images.shape[3]), np.uint8)
        if not self.per_pixel:
            return pixels, None
        masks = [resize_mask(self._dataset.labels[row], size) for row in rows]
        return pixels, np.stack(masks) if masks else np.empty((0, *size), np.uint8)

    def samples(self) -> dict[str, tuple[Shown, ...]]:
        """Some images of each class; of masks those that have the most of it."""
        labels = self._dataset.label_counts()
        counts = labels.having()
        classes = np.flatnonzero(counts)
        if len(classes) > MOST_CLASSES:
            order = classes[np.argsort(counts[classes], kind="stable")]
            half = MOST_CLASSES // 2
            classes = np.sort(np.concatenate([order[:half], order[-half:]]))
        each = int(np.clip(_MOST_SAMPLES // max(len(classes), 1), _FEWEST, _MOST_OF_CLASS))
        names = self._dataset.class_names
        samples = {}
        for label in classes.tolist():
            having = labels.of_class(label)
            rows = np.flatnonzero(having)
            if self.per_pixel:
                picked = self._fullest(rows, having)[:each]
                size = self._dataset.labels[0].size
                notes = [f"{having[row] / size:.0%} of it" for row in picked]
            else:
                steps = np.unique(np.linspace(0, len(rows) - 1, each).astype(int))
                picked, notes = rows[steps].tolist(), [""] * len(steps)
            samples[names[label]] = tuple(map(self._shown, picked, notes))
        if not len(classes) and len(self._dataset):
            steps = np.unique(np.linspace(0, len(self._dataset) - 1, 2 * _MOST_OF_CLASS))
            samples["without a label"] = tuple(self._shown(int(row)) for row in steps)
        return samples

    def outliers(self) -> dict[Oddity, Listed]:
        """Images that stand out, by what is odd."""
        dataset = self._dataset
        classes = np.zeros(len(dataset), int) if self.per_pixel else dataset.labels
        listed: dict[Oddity, Listed] = {
            kind: self._listed(outliers, np.arange(len(dataset)))
            for kind, outliers in image_outliers(dataset.images, classes, self.levels).items()
        }
        names = map(self.source, range(len(dataset)))
        sources, rows = np.unique(_hashes(names), return_index=True)
        files = _hashes(name for name, _ in dataset.headers)
        places = np.flatnonzero(np.isin(files, sources))
        first = rows[np.searchsorted(sources, files[places])]
        # masks are cut, so that images of any size may be as they are
        size = (1, 1) if self.per_pixel else dataset.images.shape[1:3]
        headers = (header for _, header in chosen(dataset.headers, places))
        sizes = size_outliers(headers, (size[0], size[1]))
        listed["size"] = self._listed(sizes, first)
        return listed

    def copies(self) -> Copies:
        """Pairs of copies: those under two labels, or in two given splits, come first."""
        dataset = self._dataset
        first = same_images(dataset)
        equal = [
            (rows[index], rows[index + 1])
            for rows in shared_rows(first)
            for index in range(len(rows) - 1)
        ]
        near = [] if dataset.copies is None else dataset.copies.tolist()
        pairs = dict.fromkeys(
            (int(one), int(other))
            for one, other in [*equal, *(pair for pair in near if first[pair[0]] != first[pair[1]])]
            if not self.per_pixel or self.source(one) != self.source(other)
        )
        counted = [
            (not self.per_pixel and bool(dataset.labels[one] != dataset.labels[other]),
             dataset.given is not None and bool(dataset.given[one] != dataset.given[other]),
             (one, other))
            for one, other in pairs
        ]  # fmt: skip
        ranked = sorted(counted, key=lambda each: (not each[0], not each[1]))
        # no image twice, so that one burst does not fill the page
        chosen: list[tuple[int, int]] = []
        seen: set[int] = set()
        for *_, pair in ranked:
            if not seen & {*pair} and len(chosen) < _MOST_PAIRS:
                chosen.append(pair)
                seen |= {*pair}
        shown = [
            CopyPair(
                first=self._shown(one),
                second=self._shown(other),
                equal=bool(first[one] == first[other]),
            )
            for one, other in chosen
        ]
        return Copies(
            pairs=len(pairs),
            two_labels=sum(labels for labels, *_ in counted),
            two_splits=sum(splits for _, splits, _ in counted),
            shown=tuple(shown),
        )

    def _fullest(self, rows: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64]) -> list[int]:
        """Rows with the most pixels, of each image one."""
        best: dict[str, int] = {}
        for row in rows[np.argsort(-pixels[rows], kind="stable")].tolist():
            best.setdefault(self.source(row), row)
        return list(best.values())

    def _listed(self, outliers: Sequence[Outlier], rows: npt.NDArray[np.int64]) -> Listed:
        shown = tuple(self._shown(int(rows[odd.row]), odd.note) for odd in outliers[:_MOST_ODD])
        return Listed(total=len(outliers), shown=shown)

    def _shown(self, row: int, note: str = "") -> Shown:
        dataset = self._dataset
        label = "" if self.per_pixel else int(dataset.labels[row])
        return Shown(
            name=dataset.origins[row],
            thumbnail=self._places.setdefault(row, len(self._places)),
            label="" if label in ("", -1) else dataset.class_names[int(label)],
            given="" if dataset.given is None else str(dataset.given[row]),
            note=note,
        )


def _hashes(names: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Hash names to eight bytes each, to be compared without being held: [N]."""
    found = (
        hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for name in names
    )
    return np.fromiter((int.from_bytes(digest, "big") for digest in found), np.uint64)


def _sizes(dataset: RawDataset) -> tuple[FileSize, ...]:
    counts = Counter(header.upright_size for _, header in dataset.headers)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        FileSize(height=height, width=width, files=files)
        for (height, width), files in ordered[:_MOST_SIZES]
    )


def _brightness(levels: Levels) -> tuple[int, ...]:
    counts, _ = np.histogram(levels.mean, BRIGHTNESS_BINS, (0, 256))
    return tuple(counts.tolist())


def _masks(dataset: RawDataset, examiner: _Examiner) -> Masks:
    counts = dataset.label_counts()
    pixels, total = counts.total(), math.prod(dataset.labels.shape)
    sources = [examiner.source(row) for row in range(len(dataset))]
    having = [
        len({sources[row] for row in np.flatnonzero(counts.of_class(label)).tolist()})
        for label in range(len(dataset.class_names))
    ]
    return Masks(
        classes={
            name: MaskClass(pixels=int(pixels[label]), images=having[label])
            for label, name in enumerate(dataset.class_names)
        },
        void=float(1 - pixels.sum() / total) if total else 0.0,
        images=len(set(sources)),
    )


def _fitted(size: Sequence[int]) -> tuple[int, int]:
    factor = min(1.0, THUMBNAIL / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _smaller(pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    if pixels.shape[:2] == size:
        return pixels
    import PIL.Image

    image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    small = np.asarray(image.resize(size[::-1], PIL.Image.Resampling.LANCZOS))
    return small.reshape(*size, pixels.shape[-1])
