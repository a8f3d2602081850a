"""Charts by Vega-Lite: drawn when the page is written, and alive where it may run scripts."""

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any, NamedTuple

Spec = dict[str, Any]

# Colours are variables of style.css, so that one chart serves light and dark. Labels are measured
# in a font that comes with the converter, for the same places on every machine; style.css draws
# them in the page's.
_CONFIG: Spec = {
    "background": None,
    "font": "Liberation Sans",
    "view": {"stroke": None},
    "axis": {
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelColor": "var(--muted)",
        "labelFontSize": 11.5,
        "labelOverlap": True,
        "labelSeparation": 6,
        "tickCount": 5,
        "titleColor": "var(--muted)",
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
    },
    "legend": {
        "columnPadding": 24,
        "columns": 2,
        "labelColor": "var(--ink)",
        "labelFontSize": 11.5,
        "orient": "top",
        "title": None,
    },
    "text": {"fontSize": 12},
}


class Chart(NamedTuple):
    """A chart of a page.

    Attributes:
        svg: an `<svg>` element: what is seen without script.
        spec: the Vega-Lite specification that `page.js` makes a live chart of.
    """

    svg: str
    spec: Spec


def chart(description: str, spec: Spec, height: int = 264) -> Chart:
    """Draw a chart, as large as matplotlib's figures.

    Args:
        description: read out before its points.
        spec: a Vega-Lite specification without its frame.
        height: in CSS pixels.
    """
    from vl_convert import vegalite_to_svg  # heavy, and only needed here

    whole = {
        "description": description,
        "width": 384,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": _CONFIG,
        **spec,
    }
    svg = vegalite_to_svg(whole, allowed_base_urls=[])
    label = escape(description)
    svg = f'<svg role="graphics-document" aria-label="{label}"{svg[svg.index(" width=") :]}'
    # addresses within the page, which the converter takes for those of an example
    return Chart(svg.replace('xlink:href="https://vega.github.io/vega-datasets/', 'href="'), whole)


def layer(mark: Spec, values: Sequence[Spec] = (), only: str = "", **encoding: Spec) -> Spec:
    """Write a layer, which is not read out unless its mark says `aria`.

    Args:
        mark: what is drawn.
        values: its data, unless it is those of the chart.
        only: the expression by which they are filtered.
        encoding: by channel.
    """
    return {
        "mark": {"aria": False, **mark},
        "encoding": encoding,
        **({"data": {"values": values}} if values else {}),
        **({"transform": [{"filter": only}]} if only else {}),
    }


def quantity(field: str, title: str, domain: tuple[float, float] | None = None) -> Spec:
    """Write the axis of a number, from zero only where `domain` says so."""
    scale = {"domain": domain, "nice": False} if domain else {"zero": False}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale}


def percent(field: str, title: str, domain: tuple[float, float] | None = None) -> Spec:
    """Write the axis of a number in per cent, with as many digits as its ticks need."""
    return {
        **quantity(field, title, domain),
        "axis": {"labelExpr": "datum.label + '\u00a0%'"},
    }


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as a JavaScript module that sets `vegaEmbed`."""
    from vl_convert import javascript_bundle

    return javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", r"<\/script")
