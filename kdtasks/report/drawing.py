"""Turn a matplotlib figure into an SVG that lives inside a page, light or dark."""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from html import escape
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes


CSS = Path(__file__).parent / "style.css"


class Colour(StrEnum):
    """Colours of the page, which are CSS variables of style.css.

    matplotlib knows colours only: each is drawn as one of these and then replaced by the variable
    of its name, so that one figure serves light and dark.
    """

    INK = "#0a0b01"
    MUTED = "#0a0b02"
    LINE = "#0a0b03"
    SURFACE = "#0a0b04"
    TEACHER = "#0a0b05"
    STUDENT = "#0a0b06"
    DISTILL = "#0a0b07"
    CHOSEN = "#0a0b08"


STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kdtasks",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": Colour.LINE,
    "axes.labelcolor": Colour.MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": Colour.LINE,
    "grid.linewidth": 0.6,
    "text.color": Colour.INK,
    "xtick.color": Colour.LINE,
    "ytick.color": Colour.LINE,
    "xtick.labelcolor": Colour.MUTED,
    "ytick.labelcolor": Colour.MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


Plot = Callable[["Axes"], object]


def draw(
    name: str,
    description: str,
    plot: Plot,
    *,
    width: float = 4.0,
    height: float = 2.75,
) -> str:
    """Draw one figure and return it as an `<svg>` element.

    Args:
        name: prefix of every id inside, unique on the page.
        description: read out instead of the figure.
        plot: draws on the axes it is given.
        width, height: in inches; 4 inches are half of the page, or a phone, and scale with it.
    """
    import matplotlib  # heavy, and only needed here

    with matplotlib.rc_context():
        # A user's matplotlibrc must not change the bytes.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        plot(figure.subplots())
        buffer = StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _for_page(buffer.getvalue(), name, f'role="img" aria-label="{escape(description)}"')


def standalone(svg: str) -> str:
    """Make an element that `draw` returned a file of its own, which a README can show.

    It brings the colours of the page, light or dark, and a ground on which they can be read
    wherever it is put.
    """
    start, rest = svg.split(">", 1)
    theme = CSS.read_text(encoding="utf-8").split("\n* {")[0]
    style = f"{theme}text {{ font-family: system-ui, sans-serif; }}"
    view = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', start)
    assert view is not None  # `draw` always writes one
    size = f'width="{float(view[1]) * 2:g}" height="{float(view[2]) * 2:g}"'
    return (
        f'{start} xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" style="fill: var(--surface)"/>{rest}\n'
    )


def percent_axes(axes: "Axes", which: str = "xy") -> None:
    """Label axes of fractions in per cent, with as many digits as their ticks need."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for name in which:
        axis = axes.yaxis if name == "y" else axes.xaxis
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        steps = [b - a for a, b in pairwise(axis.get_majorticklocs())]
        step = min(steps, default=0.1) * 100
        decimals = next((d for d in (0, 1) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 2)
        axis.set_major_formatter(PercentFormatter(1, decimals=decimals, symbol=" %"))


class Label(NamedTuple):
    """A name beside a point; `shift` is how far to its right, in points of type."""

    name: str
    place: tuple[float, float]
    shift: float
    stands_out: bool


def write_labels(axes: "Axes", labels: Sequence[Label], colour: Colour) -> None:
    """Write names beside their points, moved up where they would overlap.

    Args:
        colour: of those that stand out.
    """
    bottom, top = axes.get_ylim()
    heights = [(label.place[1] - bottom) / (top - bottom) for label in labels]
    for label, height, moved in zip(labels, heights, spread(heights, 0.07), strict=True):
        axes.annotate(
            label.name, label.place, xytext=(label.shift, (moved - height) * 160),
            textcoords="offset points", ha="left" if label.shift > 0 else "right", va="center",
            color=colour if label.stands_out else Colour.INK,
        )  # fmt: skip


def spread(values: list[float], gap: float) -> list[float]:
    """Move values up, as little as needed, until neighbours are `gap` apart; order is kept."""
    places = list(values)
    order = sorted(range(len(values)), key=lambda index: (values[index], index))
    for before, index in pairwise(order):
        places[index] = max(places[index], places[before] + gap)
    return places


def _for_page(svg: str, name: str, attributes: str) -> str:
    svg = svg[svg.index("<svg") :]
    for pattern, replacement in (
        (r"(?s)<metadata>.*?</metadata>", ""),
        (r"(?s)<!--.*?-->\n?", ""),
        # Its rule for `*` would reach the whole page; style.css repeats it for figures.
        (r'(?s)<style type="text/css">.*?</style>', ""),
        # Fonts are the page's.
        (r"font-family: [^;\"]*;?", ""),
        (r"font: ([\d.]+px) [^;\"]*", r"font-size: \1"),
        (r'\bid="([^"]+)"', rf'id="{name}-\1"'),
        (r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"'),
        (r"url\(#([^)]+)\)", rf"url(#{name}-\1)"),
    ):
        svg = re.sub(pattern, replacement, svg)
    view = re.search(r'viewBox="[^"]+"', svg)
    assert view is not None  # matplotlib always writes one
    start = f"<svg {view[0]} {attributes}>"
    svg = re.sub(r"<svg [^>]*>", lambda _: start, svg, count=1)
    for colour in Colour:
        svg = svg.replace(colour, f"var(--{colour.name.lower()})")
    return svg.strip()


def template_environment(folder: Path) -> "Environment":
    """Jinja's environment for the templates of a folder: escaping, and strict about names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
