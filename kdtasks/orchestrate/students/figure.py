"""The images of a search for a student: validation scores over each cost, with the limits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from kdtasks.core.text import percent, points
from kdtasks.orchestrate.students.record import StudentSearchSummary
from kdtasks.report.drawing import Colour, Label, draw, percent_axes, write_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Cost(NamedTuple):
    """A cost on the horizontal axis; `share` is of its unit in search.json, `limit` a key there."""

    name: str
    share: float = 1.0
    limit: str | None = None


COSTS = {
    "latency_ms": Cost("milliseconds an image", limit="max_latency_ms"),
    "bytes": Cost("file, kB", 1e-3, "max_size_kb"),
    "arena_bytes": Cost("arena, kB", 1e-3, "max_arena_kb"),
    "macs": Cost("million multiply-accumulates", 1e-6),
}


def front_figures(summary: StudentSearchSummary) -> dict[str, str]:
    """Draw scores over the cost that they were weighed against, then over the others.

    Returns: `<svg>` elements by name; none of a cost that was not measured.
    """
    against = summary.limits.student.against
    costs = [trial.footprint.present() for trial in summary.trials]
    known = [cost for cost in COSTS if any(cost in present for present in costs)]
    ordered = sorted(known, key=lambda cost: cost != against)
    return {f"front-{cost}": _figure(summary, cost, cost == against) for cost in ordered}


def _figure(summary: StudentSearchSummary, cost: str, is_weighed: bool) -> str:
    axis = COSTS[cost]
    front = {point.label: (point, point.mean) for point in summary.front if point.mean is not None}
    trials = [trial for trial in summary.trials if trial.score is not None]
    cost_of = {trial.label: trial.footprint.cost(cost) * axis.share for trial in trials}

    def plot(axes: "Axes") -> None:
        for ended, colour, name in (
            (True, Colour.DISTILL, "one seed"),
            (False, Colour.MUTED, "stopped early"),
        ):
            some = [
                (cost_of[trial.label], trial.score)
                for trial in trials
                if trial.label not in front and (trial.ended == "complete") == ended
            ]
            if some:
                costs, scores = zip(*some, strict=True)
                axes.scatter(costs, scores, s=22, facecolors="none", edgecolors=colour, label=name)
        labels, middle = [], sum(cost_of.values()) / max(1, len(cost_of))
        for number, (label, (point, mean)) in enumerate(front.items()):
            colour = Colour.CHOSEN if label == summary.winner else Colour.DISTILL
            xy = (cost_of[label], mean)
            if point.interval:
                axes.plot([xy[0]] * 2, point.interval, color=colour, linewidth=1.6)
            key = None if number else "fresh seeds, their mean and interval"
            axes.scatter(*xy, s=34, color=colour, zorder=3, label=key)
            if point.stays:
                side = 6 if xy[0] < middle else -6  # where the front leaves room
                labels.append(Label(label, xy, side, label == summary.winner))
        line = [label.place for label in labels]
        if is_weighed and line:
            axes.step(*zip(*line, strict=True), where="post", color=Colour.LINE, zorder=0)
            least = max(score for _, score in line) - summary.limits.max_accuracy_drop
            axes.axhline(least, color=Colour.MUTED, linewidth=1.0, linestyle=":")
        if limit := axis.limit and getattr(summary.limits, axis.limit):
            axes.axvline(limit, color=Colour.MUTED, linewidth=1.0, linestyle="--")
            axes.text(limit, 1.01, "limit", transform=axes.get_xaxis_transform(), ha="right")
        axes.set(xlabel=axis.name, ylabel=f"validation {summary.metric}")
        axes.margins(x=0.12, y=0.15)
        percent_axes(axes, "y")
        write_labels(axes, labels, Colour.CHOSEN)
        axes.legend(loc="lower right")

    return draw(f"front-{cost}", _description(summary, cost, cost_of), plot, width=5.6, height=3.4)


def _description(summary: StudentSearchSummary, cost: str, cost_of: Mapping[str, float]) -> str:
    values = "; ".join(
        f"{point.label}, {cost_of[point.label]:.3g}, {percent(point.mean)}"
        for point in summary.front
        if point.stays
    )
    lost = points(summary.limits.max_accuracy_drop, signed=False)
    return (
        f"Validation {summary.metric} of {len(cost_of)} students over {COSTS[cost].name}. On the "
        f"front: {values}. The dotted line is {lost} below the best of them."
    )
