"""The charts that a reader works with: variants and limits, and what early exits trade off."""

from collections.abc import Callable, Sequence
from typing import Any

from kdtasks.core import text
from kdtasks.core.latency import Statistic
from kdtasks.core.records.calibration import ExpectedPoint
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.core.records.report import CandidateSummary, Selection
from kdtasks.report.drawing import spread
from kdtasks.report.vega import Chart, Spec, chart, layer, percent, quantity

# What a variant costs, and how its axis is labelled.
COSTS = {
    "size": "file, kB",
    "time": "time an image, ms",
    "compute": "mean compute an image, MACs",
}
_WRITE: dict[str, Callable[[float], str]] = {
    "size": lambda cost: text.kilobytes(cost * 1000),
    "time": text.milliseconds,
    "compute": lambda cost: f"{text.millions(cost)} MACs",
}


def limit_chart(selection: Selection, cost: str, what: str) -> Chart | None:
    """Draw a validation metric, `what`, against a cost of `COSTS`, with the limits.

    Its parameters are `marked`, the number of the variant that stands out, and `hidden`, those of
    the variants that a filter leaves out.

    Returns:
        None where no variant has both.
    """
    judged, limits = selection.limits.latency_statistic, selection.limits
    rows: list[Spec] = [
        {
            "variant": number,
            "name": name,
            "row": f"#variant-{number}",
            "cost": found,
            "score": candidate.accuracy * 100,
            "words": f"{name}: {text.percent(candidate.accuracy)}, {_WRITE[cost](found)}"
            f"{'' if candidate.within else ', breaks a limit'}",
            "within": candidate.within,
            "chosen": name == selection.chosen,
        }
        for number, (name, candidate) in enumerate(selection.candidates.items())
        if candidate.accuracy is not None and (found := _cost(candidate, cost, judged)) is not None
    ]
    if not rows:
        return None
    allowed = [
        most for most in (limits.max_accuracy_drop, limits.max_agreement_drop) if most is not None
    ]
    # One line for all, unless variants come from students of different seeds.
    floors = {
        round((candidate.accuracy + candidate.accuracy_drop - min(allowed)) * 100, 7)
        for candidate in selection.candidates.values()
        if allowed and candidate.accuracy is not None and candidate.accuracy_drop is not None
    }
    floor = floors.pop() if len(floors) == 1 else None
    width = max(row["cost"] for row in rows)
    limit = {"size": limits.max_size_kb, "time": limits.max_latency_ms}.get(cost)
    # A limit far beyond every file would squeeze them into a corner.
    if limit is not None and limit >= 2 * width:
        limit = None
    width = max(width, limit or 0)
    scores = [row["score"] for row in rows] + ([] if floor is None else [floor])
    pad = 0.15 * (max(scores) - min(scores)) or 1
    bottom, top = min(scores) - pad, max(scores) + pad
    _place_names(rows, width, bottom, top)

    x = quantity("cost", COSTS[cost], (0, width * 1.12))
    if cost == "compute":
        x["axis"] = {"format": "~s"}
    y = percent("score", f"validation {what}", (bottom, top))
    dashes: Spec = {"type": "rule", "color": "var(--student)", "strokeDash": [5, 3]}
    by_choice = _if("datum.chosen", "var(--chosen)", "var(--distill)")
    kept = "indexof(hidden, datum.variant) < 0"
    layers = [
        layer(
            {"type": "line", "interpolate": "step-after", "color": "var(--line)"},
            _front(rows), x=x, y=y,
        ),
        *([] if limit is None else [layer(dashes, [{}], x={"datum": limit})]),
        *([] if floor is None else [layer(dashes, [{}], y={"datum": floor})]),
        layer(
            {"type": "point", "filled": True, "opacity": 1, "aria": True}, only=kept, x=x, y=y,
            fill={
                "condition": [
                    {"test": "!datum.within", "value": "var(--surface)"},
                    by_choice["condition"],
                ],
                "value": by_choice["value"],
            },
            stroke={
                "condition": [
                    {"test": "datum.variant == marked", "value": "var(--ink)"},
                    by_choice["condition"],
                ],
                "value": by_choice["value"],
            },
            strokeWidth=_if("datum.variant == marked", 3, 1.5),
            size=_if("datum.variant == marked", 200, 130),
            description={"field": "words"},
            tooltip={"field": "words"},
            href={"field": "row"},
        ),
        *(
            layer(
                {"type": "text", "align": align, "baseline": "middle", "dx": dx},
                only=f"{kept} && datum.align == '{align}'",
                x=x,
                y={"field": "place", "type": "quantitative"},
                text={"field": "name"},
                color=_if("datum.chosen", "var(--chosen)", "var(--ink)"),
            )
            for align, dx in (("left", 11), ("right", -11))
        ),
    ]  # fmt: skip
    return chart(
        f"Validation {what} of the variants by {cost}",
        {
            "params": [{"name": "marked", "value": -1}, {"name": "hidden", "value": []}],
            "data": {"values": rows},
            "layer": layers,
        },
    )


def tradeoff_chart(
    curve: Sequence[tuple[float, float]],
    expected: ExpectedPoint | None,
    test: Evaluation,
    what: str = "accuracy",
) -> Chart:
    """Draw accuracy, or `what` it is, against compute: calibration, the chosen point, the test.

    Its parameter `point` is the index of the point of `curve` that the slider is at.

    Args:
        curve: mean compute, as a fraction of all MACs, and accuracy, cheapest first.
    """
    within = test.intervals or {}
    whole = test.full.interval if test.full and test.metric in (None, "accuracy") else None
    # of each point: its name, colour, filling and shape, where it is, and its interval
    points = [
        ("chosen, on calibration", "chosen", "surface", "circle", expected, None),
        ("chosen, on test", "chosen", "chosen", "circle", test, within.get("accuracy")),
        ("whole network, on test", "muted", "muted", "square", test.full, whole),
    ]
    rows: list[Spec] = []
    for name, _, _, _, result, interval in points:
        if not result:
            continue
        cost = getattr(result, "cost", 1.0)
        low, high = interval or [result.accuracy] * 2
        rows.append(
            {
                "series": name,
                "cost": cost * 100,
                "score": result.accuracy * 100,
                "low": low * 100,
                "high": high * 100,
                "words": f"{name}: {text.percent_with_range(result.accuracy, interval)} at "
                f"{text.percent(cost)} of the compute",
            }
        )
    line = [
        {
            "series": "best on calibration",
            "index": index,
            "cost": cost * 100,
            "score": score * 100,
            "words": f"calibration: {text.percent(score)} at {text.percent(cost)} of the compute",
        }
        for index, (cost, score) in enumerate(curve)
    ]
    names = [*(["best on calibration"] if line else []), *(row["series"] for row in rows)]
    looks = {"best on calibration": ("distill", "distill", "stroke")} | {
        name: look for name, *look, _, _ in points
    }
    stroke, fill, shape = zip(*(looks[name] for name in names), strict=True)
    x = percent("cost", "mean compute, fraction of all MACs", (0, 104))
    y = percent("score", what)
    by_series: Spec = {
        channel: {"field": "series", "scale": {"domain": names, "range": list(values)}}
        for channel, values in (
            ("stroke", [f"var(--{colour})" for colour in stroke]),
            ("fill", [f"var(--{colour})" for colour in fill]),
            ("shape", shape),
        )
    }
    tooltip = {"field": "words"}
    layers = [
        layer({"type": "line"}, line, x=x, y=y, stroke=by_series["stroke"]),
        # what a pointer finds on the line; the slider goes to the same points
        layer({"type": "point", "opacity": 0, "size": 150}, line, x=x, y=y, tooltip=tooltip),
        layer(
            {"type": "rule"}, rows, x=x, stroke=by_series["stroke"],
            y={"field": "low", "type": "quantitative"}, y2={"field": "high"},
        ),
        layer(
            {"type": "point", "opacity": 1, "size": 80, "strokeWidth": 2, "aria": True},
            rows, x=x, y=y, **by_series, description=tooltip, tooltip=tooltip,
        ),
        layer(
            {"type": "point", "opacity": 1, "size": 150, "color": "var(--ink)", "strokeWidth": 2},
            line, only="datum.index == point", x=x, y=y,
        ),
    ]  # fmt: skip
    chosen = expected.cost if expected else 1
    nearest = min(range(len(curve)), key=lambda index: abs(curve[index][0] - chosen), default=0)
    slider = {"bind": {"element": "#point"}} if len(curve) > 1 else {}
    return chart(
        f"{what[0].upper()}{what[1:]} against mean compute with early exits",
        {"params": [{"name": "point", "value": nearest, **slider}], "layer": layers},
        height=300,
    )


def _if(test: str, value: Any, otherwise: Any) -> Spec:
    return {"condition": {"test": test, "value": value}, "value": otherwise}


def _cost(candidate: CandidateSummary, cost: str, judged: Statistic) -> float | None:
    if cost == "size":
        return None if candidate.bytes is None else candidate.bytes / 1000
    if cost == "time":
        return candidate.latency_ms.of(judged) if candidate.latency_ms else None
    return candidate.macs


def _front(rows: Sequence[Spec]) -> list[Spec]:
    """The points that no cheaper one equals, cheapest first."""
    front: list[Spec] = []
    for row in sorted(rows, key=lambda row: (row["cost"], -row["score"])):
        if not front or row["score"] > front[-1]["score"]:
            front.append({"cost": row["cost"], "score": row["score"]})
    return front


def _place_names(rows: list[Spec], width: float, bottom: float, top: float) -> None:
    """Say of every row where its name stands: beside its point, apart from others, in the chart."""
    for row in rows:
        row["align"] = "left" if row["cost"] < 0.6 * width else "right"
    for align in ("left", "right"):
        side = [row for row in rows if row["align"] == align]
        gap = min(0.07, 0.94 / max(1, len(side) - 1))
        heights = spread([(row["score"] - bottom) / (top - bottom) for row in side], gap)
        # those that were moved beyond the top come down again, the others as far as they must
        # in their order, which a millionth of their height keeps
        from_top = spread([max(0.03 - 1e-6 * height, 1 - height) for height in heights], gap)
        for row, depth in zip(side, from_top, strict=True):
            row["place"] = top - depth * (top - bottom)
