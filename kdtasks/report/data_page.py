"""The page of the data: what was read, how it is split, and what a person should look at."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core import text
from kdtasks.core.records.data import Dataset
from kdtasks.core.records.findings import FileSize, Findings, Oddity, Shown
from kdtasks.data.findings import MOST_CLASSES, DataOverview
from kdtasks.data.prepare import uneven_message
from kdtasks.data.prepared import SPLITS
from kdtasks.report.data_figures import (
    MOST_BARS,
    brightness_figure,
    counts_figure,
    shapes_figure,
    sizes_figure,
)
from kdtasks.report.drawing import template_environment
from kdtasks.report.examples import UNLABELLED, image_address, legend, overlaid, palette_of
from kdtasks.tasks.registry import task_of

HERE = Path(__file__).parent
# Lines of images that were left out that the page shows.
MOST_LEFT_OUT = 50
# Images of a class that have to be in every split; fewer are named.
_FEW_IMAGES = 5

# What is odd: its heading, and how it was measured.
ODDITIES: dict[Oddity, tuple[str, str]] = {
    "far": (
        "Far from their class",
        "Averaged over 8 × 8 blocks they differ from their class’s median image at least twice as "
        "much as its images usually do; how many times as much stands below each.",
    ),
    "dark": ("Dark", "Their mean level is at least 48 below the median of all."),
    "bright": ("Bright", "Their mean level is at least 48 above the median of all."),
    "uniform": (
        "Nearly uniform",
        "In no channel is the standard deviation of their levels 4 or more.",
    ),
    "size": (
        "Of unusual size",
        "Their ratio of width to height is twice or half the median’s, their number of pixels four "
        "times or a quarter of it, or they have to be enlarged to twice and more to be trained on.",
    ),
}


class DataPage(NamedTuple):
    """What the page shows.

    Attributes:
        title: what the data are called.
        record: of the dataset, without what was left out.
        split_of: split of each image by its name; of those left out there is none.
        overview: of all that was read.
        mask_values: class name to what stands for it in masks; empty where there are none.
        refused: why `prepare` would refuse it; None where it would not.
    """

    title: str
    record: Dataset
    split_of: Mapping[str, str]
    overview: DataOverview
    mask_values: Mapping[str, Any]
    refused: str | None = None


def render_data_page(page: DataPage) -> str:
    """Render the page: one HTML file with its styles, figures and thumbnails inside.

    The same content and package versions give the same bytes.
    """
    record, findings = in_order(page.record, page.overview.findings)
    environment = template_environment(HERE)
    environment.filters.update(
        {name: write for name, write in vars(text).items() if callable(write)}
    )
    per_pixel = task_of(record.task).per_pixel
    colours = legend(record.class_names, page.mask_values) if per_pixel else {}
    return environment.get_template("data.html").render(
        title=page.title,
        record=record,
        findings=findings,
        refused=page.refused,
        per_pixel=per_pixel,
        headline=headline(record),
        warnings=[warning.partition("\n")[::2] for warning in record.warnings],
        uneven=uneven_message(record),
        few=few_images(findings) if per_pixel else (),
        images=_figures(record, findings),
        totals={name: sum(found.by_class.get(name, 0) for found in record.counts.values())
                for name in record.class_names},
        legend=colours,
        void_colour=f"#{bytes(UNLABELLED).hex()}",
        address=_addresses(page.overview, list(colours.values())),
        split=_split_words(page.split_of),
        file_name=lambda shown: shown.name.rpartition("/")[2],
        oddities=ODDITIES,
        sizes=sizes_sentence(findings.sizes),
        most_classes=MOST_CLASSES,
        most_left_out=MOST_LEFT_OUT,
        small=max(page.overview.images.shape[1:3]) <= 48,
        style=(HERE / "style.css").read_text(encoding="utf-8"),
    )  # fmt: skip


def headline(record: Dataset) -> str:
    """Say in one sentence how much there is: 1,797 images of 10 classes: 1,078 to train on, …."""
    task = task_of(record.task)
    what = "patch" if task.per_pixel else "image"
    total = sum(found.total for found in record.counts.values())
    number = f"{total:,} {what}{'' if total == 1 else 'es' if task.per_pixel else 's'}"
    count = f"{number} of {len(record.class_names)} classes"
    parts = [f"{found.total:,} {name}" for name, found in record.counts.items() if name in SPLITS]
    return f"{count}: {text.and_list(parts)}" if parts else count


def sizes_sentence(sizes: Sequence[FileSize]) -> str:
    """Say in what sizes files come: all 640 × 480, or from the smallest to the largest side."""
    if not sizes:
        return ""
    if len(sizes) == 1:
        return f"all are {sizes[0].width:,} × {sizes[0].height:,} pixels"
    widths, heights = [size.width for size in sizes], [size.height for size in sizes]
    first = sizes[0]
    return (
        f"widths from {min(widths):,} to {max(widths):,} and heights from {min(heights):,} to "
        f"{max(heights):,} pixels; the commonest size is {first.width:,} × {first.height:,}, of "
        f"{text.quantity(first.files, 'file')}"
    )


def few_images(findings: Findings) -> list[str]:
    """Say which classes of masks are in few images."""
    classes = findings.masks.classes if findings.masks else {}
    return [
        f"{name} is in {text.quantity(found.images, 'image')} only"
        for name, found in classes.items()
        if found.images < _FEW_IMAGES
    ]


def in_order(record: Dataset, findings: Findings) -> tuple[Dataset, Findings]:
    """Put splits, classes, formats and oddities into the order of the page: files sort keys."""
    counts, samples, formats = record.counts, findings.samples, findings.formats
    splits = sorted(counts, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS))
    classes = sorted(samples, key=(*record.class_names, *samples).index)
    return (
        record.model_copy(update={"counts": {name: counts[name] for name in splits}}),
        findings.model_copy(
            update={
                "samples": {name: samples[name] for name in classes},
                "formats": dict(sorted(formats.items(), key=lambda item: -item[1])),
                "outliers": {
                    kind: findings.outliers[kind] for kind in ODDITIES if kind in findings.outliers
                },
            }
        ),
    )


def _figures(record: Dataset, findings: Findings) -> dict[str, str]:
    per_pixel = task_of(record.task).per_pixel
    many = "patches" if per_pixel else "images"
    images = {"brightness": brightness_figure(findings.brightness, many)}
    if record.counts and 0 < len(record.class_names) <= MOST_BARS:
        what = "labelled pixels" if per_pixel else "images"
        images["counts"] = counts_figure(record.counts, record.class_names, what)
    if len(findings.sizes) > 1:
        images["sizes"] = sizes_figure(findings.sizes, record.image_shape[:2])
        images["shapes"] = shapes_figure(findings.sizes, record.image_shape[:2])
    return images


def _addresses(overview: DataOverview, colours: Sequence[str]) -> Callable[[Shown], str]:
    """Give the image of what is shown as a `data:` address; masks lie over theirs."""
    images: npt.NDArray[np.uint8] = overview.images
    if overview.masks is not None and len(images):
        images = overlaid(images, overview.masks, palette_of(colours))
    return lambda shown: image_address(images[shown.thumbnail], lossy=True)


def _split_words(split_of: Mapping[str, str]) -> Callable[[Shown], str]:
    """Say where what is shown went: to a split, or out."""
    if not split_of:
        return lambda shown: shown.given
    return lambda shown: split_of.get(shown.name, "left out")
