"""Write the report: the page, the choice, the numbers behind them and their summary."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from kdtasks.core import text
from kdtasks.core.accelerators import ETHOS_U
from kdtasks.core.files import write_text
from kdtasks.core.latency import STATISTICS, statistic_name
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Part, Refusal
from kdtasks.core.records.benchmark import Benchmark
from kdtasks.core.records.report import Selection, Statistics, VariantSummary
from kdtasks.edge.conditions import describe_conditions
from kdtasks.report import charts, curves, figures
from kdtasks.report.advice import proposals
from kdtasks.report.brief import brief, images_taught
from kdtasks.report.card import render_card
from kdtasks.report.drawing import template_environment
from kdtasks.report.examples import (
    differences,
    image_address,
    legend,
    mask_patches,
    photo_address,
    sample_strips,
    unsure_images,
    worst_mistakes,
)
from kdtasks.report.inputs import ReportInputs, ReportSettings, known, read_inputs
from kdtasks.report.layers import errors_by_layer, layers_figures
from kdtasks.report.published import against_published
from kdtasks.report.selection import candidates_of, select, summarise
from kdtasks.report.sentences import (
    accuracy_on,
    can_do_without_teacher,
    headline,
    metric_on,
    more_seeds,
    poor_teacher,
    still_improving,
    threshold,
    uneven_advice,
    uneven_classes,
    unknown_accuracy,
)
from kdtasks.report.slices import certain_harm, severity_figures
from kdtasks.report.statistics import gather_statistics
from kdtasks.report.vega import Chart, library
from kdtasks.tasks.registry import task_of

HERE = Path(__file__).parent
# Splits that figures are measured on.
_JUDGED = ("validation", "calibration", "test")


def write_report(paths: ProjectPaths, settings: ReportSettings) -> None:
    """Read a project's metrics and write its report.

    The same files, settings and package versions give the same bytes.

    Raises:
        KdTasksError: a file is damaged.
    """
    inputs = read_inputs(paths, settings.seeds, settings.variants)
    statistics = gather_statistics(inputs, settings)
    metric = metric_on("validation", statistics)
    candidates = candidates_of(inputs, metric.key, settings.select.device)
    selection = select(candidates, settings.select, metric.name)
    page = render_page(statistics, selection, settings, inputs)
    sentence = headline(statistics, selection)
    selection.model_copy(update={"headline": sentence}).write(paths.selection)
    statistics.write(paths.statistics)
    summarise(statistics, selection).write(paths.summary)
    write_text(paths.page, page)
    write_text(paths.card, render_card(statistics, selection, settings, inputs))


def render_page(
    statistics: Statistics, selection: Selection, settings: ReportSettings, inputs: ReportInputs
) -> str:
    """Render the page: one HTML file with its styles and figures inside.

    Args:
        statistics: all numbers but the timings.
        selection: the choice of a variant.
        settings: what params say.
        inputs: timings, and arrays to draw.
    """
    environment = template_environment(HERE)
    filters = {name: write for name, write in vars(text).items() if callable(write)}
    environment.filters.update(filters)
    environment.filters.update(threshold=threshold, more_seeds=more_seeds)
    environment.globals["describe_conditions"] = describe_conditions
    shown, task, data = selection.shown, task_of(statistics.task), known(statistics.data)
    examples = inputs.variants[shown].examples if shown else {}
    class_names = data.class_names if data else ()
    leaving = inputs.variants[shown].leaving if shown else {}
    metric = metric_on("test", statistics)
    colours = legend(class_names, settings.mask_values)
    layers = errors_by_layer(inputs)
    images = draw_figures(statistics, selection) | layers_figures(layers)
    live = draw_charts(statistics, selection)
    right = task.metrics[0].by(teacher=metric.is_agreement).name
    images |= severity_figures(statistics.slices, shown, right)
    if "probabilities" in examples:
        images["precision_recall"] = curves.models_figure(inputs.compared, examples, shown or "")
        images["precision_recall_classes"] = curves.classes_figure(examples, colours, shown or "")
    return environment.get_template("template.html").render(
        **_plain(statistics)
        | {"metric": metric, "teacher_has_weight": statistics.teacher_has_weight},
        benchmarks={
            name: _benchmark(files.benchmark, selection.limits.device)
            for name, files in inputs.variants.items()
        },
        device=selection.limits.device,
        places=_places(inputs),
        statistics={statistic: statistic_name(statistic) for statistic in STATISTICS},
        judged=selection.limits.latency_statistic,
        selection=_plain(selection),
        shown=shown,
        validation_metric=metric_on("validation", statistics),
        accuracy_on={split: accuracy_on(split, statistics) for split in _JUDGED},
        unknown_accuracy=unknown_accuracy(statistics),
        metrics=[each.by(teacher=metric.is_agreement) for each in task.metrics],
        uneven=uneven_classes(statistics),
        uneven_advice=uneven_advice(statistics, is_balanced=settings.is_balanced),
        per_pixel=task.per_pixel,
        images=images,
        charts=live,
        library=library() if live else "",
        legend=colours,
        patches=mask_patches(
            examples, inputs.compared, list(colours.values()), data.ignore_label if data else None
        ),
        contact_sheet=photo_address(inputs.contact_sheet),
        strips=sample_strips(examples, class_names),
        differences=differences(inputs.compared, class_names),
        published=against_published(inputs.published, statistics, selection, inputs.dataset_sha256),
        leaving={key: leaving[key].tolist() for key in ("early", "left_at") if key in leaving},
        leaving_images=[image_address(image, lossy=True) for image in leaving.get("images", ())],
        brief=brief(statistics, selection),
        mistakes=worst_mistakes(examples, class_names),
        headline=headline(statistics, selection),
        proposals=proposals(statistics, selection, inputs.label_errors),
        images_taught=images_taught(statistics),
        poor_teacher=poor_teacher(statistics),
        teacher_is_trained=settings.teacher_is_trained,
        can_do_without_teacher=can_do_without_teacher(statistics.labels, statistics.data),
        tuned_trials=settings.tuned_trials,
        unsure=unsure_images(inputs.unsure, class_names),
        layers={name: _plain(found) for name, found in layers.items()},
        label_errors=_plain(inputs.label_errors),
        label_error_images=[
            image_address(image, lossy=True) for image in inputs.suspected.get("images", ())
        ],
        still_improving=still_improving(statistics),
        slice_metric=right,
        certain_harm=certain_harm(statistics.slices),
        notes=settings.notes,
        number_of_seeds=text.seeds(len(statistics.seeds)),
        params_text=_as_yaml(settings.params),
        style=(HERE / "style.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
    )


def draw_figures(statistics: Statistics, selection: Selection) -> dict[str, str]:
    """Draw the figures there are numbers for: name to `<svg>` element."""
    images, metric = {}, metric_on("validation", statistics)
    if gain := known(statistics.gain):
        images["seeds"] = figures.seeds_figure(statistics, metric_on("test", statistics))
        images["gain"] = figures.gain_figure(gain)
    for name, column, what in (
        ("validation_quality", f"validation_{metric.key}", metric.name),
        ("validation_loss", "validation_loss", "loss"),
    ):
        if any(column in trained for trained in statistics.training.values()):
            images[name] = figures.curve_figure(statistics.training, column, what)
    if variant := _left_early(statistics, selection):
        calibration = known(variant.calibration)
        is_confidence = calibration and calibration.score == "max_probability"
        thresholds = dict(enumerate(calibration.thresholds if calibration else ()))
        for index, bins in enumerate(variant.reliability):
            images[f"reliability_{index}"] = curves.reliability_figure(
                index,
                bins,
                threshold=thresholds.get(index) if is_confidence else None,
                confidence=statistics.confidence,
            )
    if (sensitivity := known(statistics.sensitivity)) and sensitivity.layers:
        images["sensitivity"] = curves.sensitivity_figure(
            sensitivity, accuracy_on("validation", statistics)
        )
    return images


def draw_charts(statistics: Statistics, selection: Selection) -> dict[str, Chart]:
    """Draw the charts there are numbers for, by name."""
    found: dict[str, Chart] = {}
    for cost in charts.COSTS if selection.pareto else ():
        drawn = charts.limit_chart(selection, cost, metric_on("validation", statistics).name)
        if drawn:
            found[f"by_{cost}"] = drawn
    variant = _left_early(statistics, selection)
    if variant and (test := known(variant.test)):
        calibration = known(variant.calibration)
        expected = calibration.expected if calibration else None
        what = accuracy_on("test", statistics)
        found["tradeoff"] = charts.tradeoff_chart(variant.tradeoff, expected, test, what)
    return found


def _left_early(statistics: Statistics, selection: Selection) -> VariantSummary | None:
    """The variant that is shown, unless every test image runs to its last exit."""
    variant = statistics.variants.get(selection.shown or "")
    change = variant.exit_change if variant else None
    return variant if change and change.cost < 1 else None


def _benchmark(record: Benchmark | Refusal, device: str | None) -> dict[str, Any]:
    """A variant's times on the device that counts; under `devices` those on all."""
    if isinstance(record, Refusal):
        return _plain(record)
    timed, plain = record.on(device), _plain(record)
    if timed is None:
        if device in ETHOS_U:
            return {"refused": f"{device} would leave its work to the processor"}
        return {"refused": f"not on {device} yet; `dvc repro` times it there"}
    if record.devices:
        plain["devices"] = {"this machine": plain.copy(), **plain["devices"]}
    return plain | (_plain(timed) if device else {})


def _places(inputs: ReportInputs) -> list[str]:
    """Name where any variant was timed, this machine first; none where it was this one alone."""
    found = (known(files.benchmark) for files in inputs.variants.values())
    devices = [device for benchmark in found if benchmark for device in benchmark.devices]
    return list(dict.fromkeys(["this machine", *devices])) if devices else []


def _plain(record: Part) -> dict[str, Any]:
    """What the file of a record holds: a template tells what is absent from what is not known."""
    return record.model_dump(mode="json", exclude_defaults=True)


def _as_yaml(params: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    buffer, yaml = StringIO(), YAML()
    yaml.default_flow_style = None  # short lists on one line
    yaml.width = 80
    yaml.dump(dict(params), buffer)
    return buffer.getvalue()
