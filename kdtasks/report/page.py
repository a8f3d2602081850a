"""Write `report/`: the page, the choice, the figures behind them and their summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdtasks.core.files import write_json, write_text
from kdtasks.core.text import (
    count,
    kilobytes,
    millions,
    milliseconds,
    percent,
    percent_and_margin,
    percent_range,
    points,
    points_range,
    seeds,
)
from kdtasks.report.contents import Arrays, ReportSettings, read_contents
from kdtasks.report.curves import (
    classes_figure,
    models_figure,
    reliability_figure,
    sensitivity_figure,
)
from kdtasks.report.drawing import template_environment
from kdtasks.report.examples import legend, mask_patches, sample_strips
from kdtasks.report.figures import (
    curve_figure,
    gain_figure,
    pareto_figure,
    seeds_figure,
    tradeoff_figure,
)
from kdtasks.report.selection import candidates_of, select, summarise
from kdtasks.report.sentences import headline, more_seeds, poor_teacher, threshold
from kdtasks.report.statistics import gather_statistics
from kdtasks.tasks.registry import task_of

HERE = Path(__file__).parent


def write_report(root: Path, settings: ReportSettings) -> None:
    """Read the metrics below the project's folder `root` and write `root/report`.

    The same files, settings and package versions give the same bytes.

    Raises:
        KdTasksError: a file is damaged.
    """
    contents = read_contents(root, settings.seeds, settings.variants)
    metric = task_of(settings.task).metric
    selection = select(candidates_of(contents, metric), settings.select, metric.name)
    statistics = gather_statistics(contents, settings)
    shown = selection["chosen"] or selection["nearest"]
    examples = contents.variants[shown].examples if shown else {}
    page = render_page(statistics, selection, settings, examples, contents.compared)
    sentence = headline(statistics, selection)
    write_json(root / "report/selection.json", {**selection, "headline": sentence})
    # Without timings, so that two runs of the same thing give the same bytes.
    timeless = {key: value for key, value in statistics.items() if key != "latency"}
    write_json(root / "report/statistics.json", timeless)
    write_json(root / "report/summary.json", summarise(statistics, selection))
    write_text(root / "report/index.html", page)


def render_page(
    statistics: dict[str, Any],
    selection: dict[str, Any],
    settings: ReportSettings,
    examples: Arrays,
    compared: Arrays,
) -> str:
    """Render the page: one HTML file with its styles and pictures inside.

    Arguments:
        examples: test pictures of the variant that is shown in full.
        compared: what `compare` keeps of masks.
    """
    environment = template_environment(HERE)
    for write in (
        percent,
        percent_range,
        percent_and_margin,
        points,
        points_range,
        kilobytes,
        milliseconds,
        count,
        millions,
        threshold,
        more_seeds,
    ):
        environment.filters[write.__name__] = write
    shown = selection["chosen"] or selection["nearest"]
    task, names = task_of(statistics["task"]), _class_names(statistics)
    colours = legend(names, settings.mask_values)
    pictures = draw_pictures(statistics, selection, shown)
    if "probabilities" in examples:
        pictures |= _precision_recall(colours, examples, compared, shown or "")
    return environment.get_template("template.html").render(
        **statistics,
        selection=selection,
        shown=shown,
        metric=task.metric,
        per_pixel=task.per_pixel,
        pictures=pictures,
        legend=colours,
        patches=mask_patches(
            examples, compared, list(colours.values()), statistics["data"].get("ignore_label")
        ),
        strips=sample_strips(examples, names),
        headline=headline(statistics, selection),
        poor_teacher=poor_teacher(statistics),
        number_of_seeds=seeds(len(statistics["seeds"])),
        params_text=_as_yaml(settings.params),
        style=(HERE / "style.css").read_text(encoding="utf-8"),
    )


def draw_pictures(
    statistics: dict[str, Any], selection: dict[str, Any], shown: str | None
) -> dict[str, str]:
    """Draw the pictures there are figures for: name to `<svg>` element."""
    pictures, metric = {}, task_of(statistics["task"]).metric
    if not statistics["gain"].get("refused"):
        pictures["seeds"] = seeds_figure(statistics, metric)
        pictures["gain"] = gain_figure(statistics)
    for name, column, what in (
        ("validation_quality", f"validation_{metric.key}", metric.name),
        ("validation_loss", "validation_loss", "loss"),
    ):
        if any(curves.get(column) for curves in statistics["training"].values()):
            pictures[name] = curve_figure(statistics["training"], column, what)
    if shown and statistics["variants"][shown]["exit_change"]:
        variant = statistics["variants"][shown]
        pictures["tradeoff"] = tradeoff_figure(variant)
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
        pictures["pareto"] = pareto_figure(selection, metric.name)
    if statistics["sensitivity"].get("layers"):
        pictures["sensitivity"] = sensitivity_figure(statistics["sensitivity"])
    return pictures


def _class_names(statistics: dict[str, Any]) -> list[str]:
    return list(statistics["data"].get("class_names", []))


def _precision_recall(
    colours: Mapping[str, str], examples: Arrays, compared: Arrays, shown: str
) -> dict[str, str]:
    return {
        "precision_recall": models_figure(compared, examples, shown),
        "precision_recall_classes": classes_figure(
            examples, list(colours), list(colours.values()), shown
        ),
    }


def _as_yaml(params: Mapping[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    buffer = StringIO()
    yaml = YAML()
    yaml.default_flow_style = None  # short lists on one line
    yaml.width = 80
    yaml.dump(dict(params), buffer)
    return buffer.getvalue()
