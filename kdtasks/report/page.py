"""Write `report/`: the page, the choice, the figures behind them and their summary."""

from pathlib import Path
from typing import Any

from kdtasks.atomic import write_json, write_text
from kdtasks.params import Params
from kdtasks.report import figures, wording
from kdtasks.report.contents import Arrays, read_contents
from kdtasks.report.reliability import reliability_figure
from kdtasks.report.samples import sample_strips
from kdtasks.report.selection import candidates_of, select
from kdtasks.report.sensitivity import sensitivity_figure
from kdtasks.report.statistics import gather_statistics
from kdtasks.report.summary import summarise
from kdtasks.report.templates import template_environment

HERE = Path(__file__).parent


def write_report(root: Path, params: Params) -> None:
    """Read the metrics below the project's folder `root` and write `root/report`.

    The same files, params and package versions give the same bytes.

    Raises:
        KdTasksError: a file is damaged.
    """
    contents = read_contents(root, params.seeds, params.compress.variants)
    selection = select(candidates_of(contents), params.select)
    statistics = gather_statistics(contents, params)
    shown = selection["chosen"] or selection["nearest"]
    examples = contents.variants[shown].examples if shown else {}
    page = render_page(statistics, selection, params, examples)
    headline = wording.headline(statistics, selection)
    write_json(root / "report/selection.json", {**selection, "headline": headline})
    # Without timings, so that two runs of the same thing give the same bytes.
    timeless = {key: value for key, value in statistics.items() if key != "latency"}
    write_json(root / "report/statistics.json", timeless)
    write_json(root / "report/summary.json", summarise(statistics, selection))
    write_text(root / "report/index.html", page)


def render_page(
    statistics: dict[str, Any], selection: dict[str, Any], params: Params, examples: Arrays
) -> str:
    """Render the page: one HTML file with its styles and pictures inside.

    Arguments:
        examples: test pictures of the variant that is shown in full.
    """
    environment = template_environment(HERE)
    for write in (
        wording.percent,
        wording.percent_range,
        wording.percent_and_margin,
        wording.points,
        wording.points_range,
        wording.kilobytes,
        wording.milliseconds,
        wording.count,
        wording.millions,
        wording.threshold,
        wording.more_seeds,
    ):
        environment.filters[write.__name__] = write
    shown = selection["chosen"] or selection["nearest"]
    return environment.get_template("template.html").render(
        **statistics,
        selection=selection,
        shown=shown,
        pictures=draw_pictures(statistics, selection, shown),
        strips=sample_strips(examples, statistics["data"].get("class_names", [])),
        headline=wording.headline(statistics, selection),
        poor_teacher=wording.poor_teacher(statistics),
        number_of_seeds=wording.seeds(len(statistics["seeds"])),
        params_text=_as_yaml(params),
        style=(HERE / "style.css").read_text(encoding="utf-8"),
    )


def draw_pictures(
    statistics: dict[str, Any], selection: dict[str, Any], shown: str | None
) -> dict[str, str]:
    """Draw the pictures there are figures for: name to `<svg>` element."""
    pictures = {}
    if not statistics["gain"].get("refused"):
        pictures["seeds"] = figures.seeds_figure(statistics)
        pictures["gain"] = figures.gain_figure(statistics)
    for column in ("validation_accuracy", "validation_loss"):
        if any(curves.get(column) for curves in statistics["training"].values()):
            pictures[column] = figures.curve_figure(statistics["training"], column)
    if shown and statistics["variants"][shown]["exit_change"]:
        variant = statistics["variants"][shown]
        pictures["tradeoff"] = figures.tradeoff_figure(variant)
        thresholds = dict(enumerate(variant["calibration"].get("thresholds") or []))
        is_confidence = variant["calibration"].get("score") == "max_probability"
        for index, bins in enumerate(variant["reliability"]):
            pictures[f"reliability_{index}"] = reliability_figure(
                index,
                bins,
                threshold=thresholds.get(index) if is_confidence else None,
                confidence=statistics["confidence"],
            )
    if selection["pareto"]:
        pictures["pareto"] = figures.pareto_figure(selection)
    if statistics["sensitivity"].get("layers"):
        pictures["sensitivity"] = sensitivity_figure(statistics["sensitivity"])
    return pictures


def _as_yaml(params: Params) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    buffer = StringIO()
    yaml = YAML()
    yaml.default_flow_style = None  # short lists on one line
    yaml.width = 80
    yaml.dump(params.model_dump(mode="json"), buffer)
    return buffer.getvalue()
