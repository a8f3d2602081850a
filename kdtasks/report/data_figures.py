"""The figures of the page of the data: counts by class and split, sizes, shapes, brightness."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kdtasks.core.records.data import SplitCounts
from kdtasks.core.records.findings import FileSize
from kdtasks.report.drawing import Colour, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Hatching repeats what the colour says, for those who do not see the colour.
SPLIT_STYLES = {
    "train": (Colour.DISTILL, ""),
    "validation": (Colour.STUDENT, "////"),
    "calibration": (Colour.TEACHER, "...."),
    "test": (Colour.CHOSEN, "xxxx"),
}
# More names than this cannot be read beside bars.
MOST_BARS = 40
_BINS = 24


def counts_figure(counts: Mapping[str, SplitCounts], class_names: Sequence[str], what: str) -> str:
    """Draw how many images, or `what`, of each class are in each split: a bar a class."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    places = np.arange(len(class_names))[::-1]

    def plot(axes: "Axes") -> None:
        left = np.zeros(len(class_names))
        for split, found in counts.items():
            colour, hatch = SPLIT_STYLES[split]
            widths = np.array([found.by_class.get(name, 0) for name in class_names], float)
            axes.barh(
                places, widths, left=left, height=0.72, label=split, hatch=hatch, color=colour,
                edgecolor=Colour.SURFACE, linewidth=0.6,
            )  # fmt: skip
            left += widths
        axes.set_yticks(places, [_short(name) for name in class_names])
        axes.set(xlabel=what, ylim=(-0.6, len(class_names) - 0.4))
        axes.tick_params(axis="y", length=0, labelcolor=Colour.INK)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep="\u2009"))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1.2,
                    handlelength=1.4)  # fmt: skip

    height = 0.75 + 0.19 * len(class_names)
    return draw("counts", f"{what.capitalize()} of each class in each split", plot, height=height)


def sizes_figure(sizes: Sequence[FileSize], image_size: Sequence[int]) -> str:
    """Draw height against width of the files, larger where many are alike, and what is trained on.

    Args:
        image_size: height and width that images are resized to.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    most = max(size.files for size in sizes)

    def plot(axes: "Axes") -> None:
        axes.scatter(
            [size.width for size in sizes], [size.height for size in sizes],
            s=[8 + 110 * size.files / most for size in sizes],
            color=Colour.DISTILL, alpha=0.6, linewidth=0, zorder=3,
        )  # fmt: skip
        axes.scatter(
            image_size[1], image_size[0], s=60, marker="s", zorder=4, color=Colour.SURFACE,
            edgecolor=Colour.CHOSEN, linewidth=1.8, label="what is trained on",
        )  # fmt: skip
        sides = [*image_size, *(side for size in sizes for side in (size.width, size.height))]
        limits = min(sides) / 1.3, max(sides) * 1.3
        axes.plot(limits, limits, color=Colour.MUTED, linewidth=1, linestyle=(0, (4, 2)))
        axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
        axes.set(xlabel="width, pixels", ylabel="height, pixels")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axis.set_minor_formatter(NullFormatter())
        axes.legend(loc="lower right")

    return draw("sizes", "Height of the files against their width", plot)


def shapes_figure(sizes: Sequence[FileSize], image_size: Sequence[int]) -> str:
    """Draw how many files have which width over height, and a line at what is trained on."""
    ratios = np.repeat([size.width / size.height for size in sizes], [size.files for size in sizes])
    far = max(2.0, float(np.abs(np.log2(ratios)).max()) * 1.05)

    def plot(axes: "Axes") -> None:
        edges = (2 ** np.linspace(-far, far, _BINS + 1)).tolist()
        axes.hist(ratios, edges, color=Colour.DISTILL, edgecolor=Colour.SURFACE, linewidth=0.6)
        axes.set_xscale("log", base=2)
        axes.axvline(
            image_size[1] / image_size[0], color=Colour.MUTED, linewidth=1, linestyle=(0, (4, 2))
        )
        ticks = [2.0**power for power in range(-int(far), int(far) + 1)]
        axes.set_xticks(
            ticks, [f"{tick:g}:1" if tick >= 1 else f"1:{1 / tick:g}" for tick in ticks]
        )
        axes.set(xlabel="width : height", ylabel="files")
        axes.minorticks_off()

    return draw("shapes", "Files by their ratio of width to height", plot)


def brightness_figure(counts: Sequence[int], what: str) -> str:
    """Draw how many images, or `what`, have which mean level."""

    def plot(axes: "Axes") -> None:
        width = 256 / len(counts)
        axes.bar(
            [width * (index + 0.5) for index in range(len(counts))], counts, width=width,
            color=Colour.DISTILL, edgecolor=Colour.SURFACE, linewidth=0.6,
        )  # fmt: skip
        axes.set(xlim=(0, 256), xlabel="mean level, 0 black to 255 white", ylabel=what)
        axes.set_xticks([0, 64, 128, 192, 255])

    return draw("brightness", f"{what.capitalize()} by their mean level", plot)


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"
