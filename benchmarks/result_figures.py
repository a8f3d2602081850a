"""Draw the figures of `results/` from its JSON files: `python -m benchmarks.result_figures`.

Of every recipe `models.svg` (teacher and students on the test split), `curves.svg` (validation over
the epochs) and `variants.svg` (what ships, by size); of mlperf-tiny accuracy against compute.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdtasks.core.records.report import Curve
from kdtasks.report.drawing import Colour, Label, draw, percent_axes, standalone, write_labels
from kdtasks.report.figures import MODELS, curve_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESULTS = Path("results")
# Of all its layers, one image (docs/networks.md).
PUBLISHED_MACS = 12.5e6
Estimate = tuple[float, tuple[float, float]]


def read(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def model_estimates(statistics: Any, key: str) -> dict[str, Estimate]:
    """The test metric of teacher and students, with 95 % intervals."""
    teacher, alone, taught = (statistics[name] for name in ("teacher", "student", "distill"))
    return {
        "teacher": (teacher[key], tuple(teacher["interval"])),
        "student": (alone["mean"], tuple(alone["interval"])),
        "distill": (taught["mean"], tuple(taught["interval"])),
    }


def models_figure(found: dict[str, Estimate], what: str) -> str:
    """Draw them below each other, each with its number."""

    def plot(axes: "Axes") -> None:
        for place, (name, (mean, (low, high))) in enumerate(reversed(found.items())):
            _, colour, marker, _ = MODELS[name]
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.scatter(mean, place, color=colour, marker=marker, s=34, zorder=3)
            axes.annotate(
                f"{mean * 100:.1f} %", (mean, place), xytext=(0, 8),
                textcoords="offset points", ha="center", color=Colour.INK,
            )  # fmt: skip
        axes.set_yticks(range(len(found)), [MODELS[name][0] for name in reversed(found)])
        axes.tick_params(axis="y", length=0, labelcolor=Colour.INK)
        axes.set(xlabel=f"test {what}, with 95 % intervals", ylim=(-0.5, len(found) - 0.4))
        axes.margins(x=0.12)
        percent_axes(axes, "x")

    return draw("models", f"Test {what} of teacher and students", plot, height=1.9)


def variant_estimates(statistics: Any, key: str) -> dict[str, tuple[float, Estimate]]:
    """Bytes and the test metric of every file that was made, the smallest first."""
    made = {name: one for name, one in statistics["variants"].items() if not one["refused"]}
    return {
        name: (one["bytes"], (one["test"][key], tuple(one["test"]["interval"])))
        for name, one in sorted(made.items(), key=lambda pair: pair[1]["bytes"])
    }


def variants_figure(found: dict[str, tuple[float, Estimate]], chosen: str, what: str) -> str:
    """Draw a row a file: its size beside its name, its metric with the interval."""

    def plot(axes: "Axes") -> None:
        names = list(reversed(found))
        for place, name in enumerate(names):
            _, (mean, (low, high)) = found[name]
            colour = Colour.CHOSEN if name == chosen else Colour.DISTILL
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.scatter(mean, place, color=colour, s=34, zorder=3)
        labels = [f"{name}, {found[name][0] / 1000:,.0f} kB" for name in names]
        axes.set_yticks(range(len(names)), labels)
        axes.tick_params(axis="y", length=0, labelcolor=Colour.INK)
        axes.set(xlabel=f"test {what}, with 95 % intervals", ylim=(-0.6, len(names) - 0.4))
        axes.margins(x=0.08)
        percent_axes(axes, "x")

    description = f"Test {what} of the variants, the smallest file on top; {chosen} ships"
    return draw("variants", description, plot, width=5.2, height=0.9 + 0.24 * len(found))


def size_figure(found: dict[str, tuple[float, Estimate]], chosen: str, what: str) -> str:
    """Draw the metric against the size, with the front that no other file beats on both."""

    def plot(axes: "Axes") -> None:
        from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

        front: list[tuple[float, float]] = []
        labels = []
        ordered = sorted(found.items(), key=lambda one: (one[1][0], -one[1][1][0]))
        for name, (size, (mean, _)) in ordered:
            place = (size / 1000, mean)
            if not front or mean > front[-1][1]:
                front.append(place)
                labels.append(Label(name, place, 6, name == chosen))
            colour = Colour.CHOSEN if name == chosen else Colour.DISTILL
            axes.scatter(*place, color=colour, s=34, zorder=3)
        axes.step(*zip(*front, strict=True), where="post", color=Colour.LINE, linewidth=1.4)
        axes.set(xlabel="file, kB", ylabel=f"test {what}", xscale="log")
        smallest, largest = (pick(size for size, _ in found.values()) for pick in (min, max))
        axes.set_xlim(smallest / 1400, largest / 300)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(y=0.2)
        percent_axes(axes, "y")
        write_labels(axes, labels, Colour.CHOSEN)

    return draw("pareto", f"Test {what} of the variants against their size", plot)


def figures(folder: Path) -> Iterator[tuple[str, str]]:
    """Draw those of one recipe."""
    statistics = read(folder / "statistics.json")
    chosen = read(folder / "selection.json")["chosen"]
    masks = statistics["task"] == "segmentation"
    key, what = ("mean_iou", "mean IoU") if masks else ("accuracy", "accuracy")
    yield "models", models_figure(model_estimates(statistics, key), what)
    curves = {
        name: {
            column: Curve.model_validate(curve, strict=False) for column, curve in columns.items()
        }
        for name, columns in statistics["training"].items()
    }
    yield "curves", curve_figure(curves, f"validation_{key}", what)
    found = variant_estimates(statistics, key)
    yield "variants", variants_figure(found, chosen, what)
    if len(found) > 2:
        yield "pareto", size_figure(found, chosen, what)


def compute_figure(measured: Any) -> str:
    """Draw accuracy against compute: the student by how early it may stop, the published one."""
    students = list(measured["students"].values())
    points = [
        tuple(
            sum(float(one["stopping"][drop][key]) for one in students) / len(students)
            for key in ("mean_macs", "accuracy")
        )
        for drop in students[0]["stopping"]
    ]
    whole = sum(one["accuracy_by_exit"][-1] for one in students) / len(students)
    points.insert(0, (students[0]["macs"][-1], whole))
    published = (PUBLISHED_MACS, measured["published"]["published ResNet-8"]["accuracy"])

    def plot(axes: "Axes") -> None:
        for places, marker, colour, name in (
            (points, "o", Colour.DISTILL, "student, by how early it stops"),
            ([published], "s", Colour.STUDENT, "published ResNet-8"),
        ):
            macs, accuracy = zip(*places, strict=True)
            millions = [number / 1e6 for number in macs]
            axes.plot(millions, accuracy, color=colour, marker=marker, label=name)
        axes.set(xlabel="mean million multiply-accumulates an image", ylabel="test accuracy")
        axes.set_xlim(0, 14)
        axes.margins(y=0.2)
        percent_axes(axes, "y")
        axes.legend(loc="lower left")

    return draw("compute", "Test accuracy against mean compute, int8 files", plot)


def main() -> None:
    """Write them beside the figures that they are drawn from."""
    for path in sorted(RESULTS.glob("*/statistics.json")):
        for name, svg in figures(path.parent):
            (path.parent / f"{name}.svg").write_text(standalone(svg), encoding="utf-8")
    folder = RESULTS / "mlperf-tiny"
    image = standalone(compute_figure(read(folder / "mlperf.json")))
    (folder / "compute.svg").write_text(image, encoding="utf-8")


if __name__ == "__main__":
    main()
