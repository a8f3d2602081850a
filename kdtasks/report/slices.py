"""Slices of the test split: what compression changes there, paired, and the figure of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from kdtasks.core.records.slices import ComparedSlice, SliceScore, SliceSummary, VariantSlice
from kdtasks.evaluate.comparison import holm
from kdtasks.evaluate.slices import PLAIN, read_seed_slice_results, read_slice_results
from kdtasks.report.drawing import Colour, draw, percent_axes
from kdtasks.report.figures import MODELS
from kdtasks.report.inputs import ReportInputs, ReportSettings, known
from kdtasks.tasks.registry import task_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By slice, then by variant.
Variants = dict[str, dict[str, VariantSlice]]
_NOBODY = ComparedSlice(teacher=None, student=None, distill=None)


def slice_summaries(inputs: ReportInputs, settings: ReportSettings) -> dict[str, SliceSummary]:
    """Put the scores of all models on every slice together, `plain` first; none of no slices."""
    compare = known(inputs.compare)
    compared = compare.slices if compare else {}
    variants = _corrected(_changes(inputs, settings), 1 - settings.confidence)
    return {
        name: SliceSummary(**dict(compared.get(name, _NOBODY)), variants=variants.get(name, {}))
        for name in dict.fromkeys([*variants, *compared])
    }


def _changes(inputs: ReportInputs, settings: ReportSettings) -> Variants:
    """Pair every variant with the distilled student that it was made of."""
    per_pixel, confidence = task_of(settings.task).per_pixel, settings.confidence
    networks = read_seed_slice_results(inputs.compared, per_pixel=per_pixel)
    changes: Variants = {}
    for variant, files in inputs.variants.items():
        slice_results = read_slice_results(files.examples, per_pixel=per_pixel)
        compressed = known(files.compress)
        network = networks.get(compressed.base_seed) if compressed else None
        for name in slice_results.names if slice_results else ():
            assert slice_results is not None
            row = dict(slice_results.score(name, confidence))
            if network and network.names == slice_results.names:
                change, interval, excess, p_value = slice_results.change(network, name, confidence)
                row |= {"change": change, "change_interval": interval}
                row |= {"excess": excess, "p_value": p_value} if name != PLAIN else {}
            changes.setdefault(name, {})[variant] = VariantSlice(**row)
    return changes


def _corrected(variants: Variants, level: float) -> Variants:
    """Correct the p-values of all slices of all variants together, and flag what is certain."""
    tested = [
        (name, variant, row)
        for name, rows in variants.items()
        for variant, row in rows.items()
        if row.p_value is not None
    ]
    for (name, variant, row), p_value in zip(
        tested, holm([row.p_value or 0.0 for _, _, row in tested]), strict=True
    ):
        hurts = p_value <= level and (row.excess or 0) < 0
        variants[name][variant] = row.model_copy(
            update={"adjusted_p_value": p_value, "hurts": hurts}
        )
    return variants


def certain_harm(slices: Mapping[str, SliceSummary]) -> list[tuple[str, str, VariantSlice]]:
    """List where compression certainly takes more than on the plain split: slice, variant, row."""
    return [
        (name, variant, row)
        for name, summary in slices.items()
        for variant, row in summary.variants.items()
        if row.hurts
    ]


def severity_figures(
    slices: Mapping[str, SliceSummary], shown: str | None, what: str
) -> dict[str, str]:
    """Draw the score of every model, a mean over the corruptions, at each severity, if any.

    Args:
        slices: of the statistics.
        shown: the variant that is drawn, if any.
        what: name of the score.
    """
    kinds = {kind: (label, colour, marker) for kind, (label, colour, marker, _) in MODELS.items()}
    if shown:
        kinds[shown] = (shown, Colour.CHOSEN, "^")

    def at(severity: int, kind: str) -> float | None:
        values = [
            score.score
            for name, summary in slices.items()
            if severity_of(name) == severity and (score := _score(summary, kind))
        ]
        return float(np.mean(values)) if values else None

    def plot(axes: "Axes") -> None:
        severities = sorted(
            {severity for name in slices if (severity := severity_of(name)) is not None}
        )
        for kind, (label, colour, marker) in kinds.items():
            means = [(severity, at(severity, kind)) for severity in severities]
            line = [(severity, mean) for severity, mean in means if mean is not None]
            if line:
                axes.plot(*zip(*line, strict=True), color=colour, marker=marker, label=label)
        axes.set(xlabel="severity (0: plain test split)", ylabel=f"test {what}")
        axes.set_xticks(severities)
        percent_axes(axes, "y")
        axes.legend(loc="lower left")

    if not any(map(severity_of, slices)):
        return {}
    description = f"Test {what} by severity of the corruptions"
    return {"severities": draw("severities", description, plot)}


def severity_of(name: str) -> int | None:
    """0 of the plain split; None of a part of it, and of a further folder."""
    if name == PLAIN:
        return 0
    return None if "=" in name or is_folder(name) else int(name.rsplit(" ", 1)[1])


def is_folder(name: str) -> bool:
    """Whether a slice is a further folder of test images."""
    return name != PLAIN and not {" ", "="} & set(name)


def _score(summary: SliceSummary, kind: str) -> SliceScore | None:
    models = {**dict(summary), **summary.variants}
    found: SliceScore | None = models.get(kind)
    return found
