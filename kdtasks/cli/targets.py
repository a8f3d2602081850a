"""What `kdtasks inspect --target` says of an accelerator."""

from typing import Any

import typer

from kdtasks.cli.output import print_table
from kdtasks.compress.tflite.accelerators import COVERAGE

_FIGURES = ("cycles", "ms", "SRAM", "flash", "DRAM", "accelerated", "left")


def print_target(judged: dict[str, Any]) -> None:
    """Print what `assess_target` found as tables."""
    segments = judged["segments"]
    systems = sorted({one["system"] for one in segments.values() if one.get("system")})
    title = ", ".join([f"{judged['name']}: {judged['source']}", *systems])
    if judged["name"] in COVERAGE:
        rows = [(name, str(one["accelerated"]), str(one["left"])) for name, one in segments.items()]
        print_table(rows, ("", "covered", "left"), right=("covered", "left"), title=title)
    else:
        print_table(
            [(name, *_figures(one)) for name, one in segments.items()],
            ("", *_FIGURES),
            right=_FIGURES,
            title=title,
        )
    left = [
        (name, one["operator"], one["tensor"], one["reason"])
        for name, segment in segments.items()
        for one in segment["fallbacks"]
    ]
    if left:
        print_table(left, ("", "falls back", "tensor", "why"))
    else:
        typer.echo("nothing falls back to the processor")


def _figures(segment: dict[str, Any]) -> list[str]:
    shown = [segment[key] for key in ("cycles", "milliseconds", "sram", "flash", "dram")]
    cells = [
        "–" if one is None else f"{one:,.4g}" if isinstance(one, float) else f"{one:,}"
        for one in shown
    ]
    return [*cells, str(segment["accelerated"]), str(segment["left"])]
