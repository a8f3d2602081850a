"""Turn a matplotlib figure into an SVG that lives inside a page, light or dark."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes


# matplotlib knows colours only; each of these stands for a CSS variable of style.css and is
# replaced by it, so that one image serves light and dark.
INK, MUTED, LINE, SURFACE = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
TEACHER, STUDENT, DISTILL, CHOSEN = "#0a0b05", "#0a0b06", "#0a0b07", "#0a0b08"

VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    SURFACE: "var(--surface)",
    TEACHER: "var(--teacher)",
    STUDENT: "var(--student)",
    DISTILL: "var(--distill)",
    CHOSEN: "var(--chosen)",
}

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kdtasks",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def draw(
    name: str,
    description: str,
    plot: Callable[["Axes"], object],
    *,
    width: float = 4.0,
    height: float = 2.75,
) -> str:
    """Draw one figure and return it as an `<svg>` element.

    Args:
        name: prefix of every id inside, unique on the page.
        description: read out instead of the image.
        plot: draws on the axes it is given.
        width, height: in inches; 4 inches are half of the page, or a phone, and scale with it.
    """
    import matplotlib  # heavy, and only needed here

    with matplotlib.rc_context():
        # A user's matplotlibrc must not change the bytes.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        from io import StringIO

        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        plot(figure.subplots())
        buffer = StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _for_page(buffer.getvalue(), name, description)


def percent_axis(axes: "Axes", which: str = "y") -> None:
    """Label an axis of shares in per cent, with as many digits as its ticks need."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    steps = [b - a for a, b in pairwise(axis.get_majorticklocs())]
    step = min(steps, default=0.1) * 100
    decimals = next((d for d in (0, 1) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 2)
    axis.set_major_formatter(PercentFormatter(1, decimals=decimals, symbol=" %"))


def _for_page(svg: str, name: str, description: str) -> str:
    from html import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    # Fonts are the page's.
    svg = re.sub(r"font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    view = re.search(r'viewBox="[^"]+"', svg)
    assert view is not None  # matplotlib always writes one
    # Its rule for `*` would reach the whole page; style.css repeats it for figures.
    svg = re.sub(r"<style type=\"text/css\">.*?</style>", "", svg, flags=re.DOTALL)
    start = f'<svg {view[0]} role="img" aria-label="{escape(description)}">'
    svg = re.sub(r"<svg [^>]*>", lambda _: start, svg, count=1)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
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
