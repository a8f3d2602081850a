"""What `kdtasks inspect --target` says of an accelerator."""

import typer

from kdtasks.cli.output import print_table
from kdtasks.compress.tflite.accelerators import COVERAGE
from kdtasks.core.accelerators import TargetFit, TargetSegment

_FIGURES = ("cycles", "ms", "SRAM", "flash", "DRAM", "accelerated", "left")


def print_target(target: str, fit: TargetFit) -> None:
    """Print what an accelerator takes as tables."""
    segments = fit.segments
    systems = sorted({segment.system for segment in segments.values() if segment.system})
    title = ", ".join([f"{target}: {fit.source}", *systems])
    if target in COVERAGE:
        rows = [
            (name, str(segment.accelerated), str(segment.left))
            for name, segment in segments.items()
        ]
        print_table(rows, ("", "covered", "left"), right=("covered", "left"), title=title)
    else:
        print_table(
            [(name, *_figures(segment)) for name, segment in segments.items()],
            ("", *_FIGURES),
            right=_FIGURES,
            title=title,
        )
    left = [
        (name, fallback.operator, fallback.tensor, fallback.reason)
        for name, segment in segments.items()
        for fallback in segment.fallbacks
    ]
    if left:
        print_table(left, ("", "falls back", "tensor", "why"))
    else:
        typer.echo("nothing falls back to the processor")


def _figures(segment: TargetSegment) -> list[str]:
    shown = (segment.cycles, segment.milliseconds, segment.sram, segment.flash, segment.dram)
    cells = [
        "–" if figure is None else f"{figure:,.4g}" if isinstance(figure, float) else f"{figure:,}"
        for figure in shown
    ]
    return [*cells, str(segment.accelerated), str(segment.left)]
