"""The model card: what whoever gets a model without its project wants to know of it.

The sections are those of Mitchell et al. 2019, "Model Cards for Model Reporting", FAT*, arXiv
1810.03993, as far as a pipeline knows them.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from kdtasks.core import text
from kdtasks.core.records.report import Selection, Statistics
from kdtasks.core.settings import Section
from kdtasks.report.drawing import template_environment
from kdtasks.report.inputs import ReportInputs, ReportSettings, known
from kdtasks.report.sentences import headline, metric_on, uneven_classes, unknown_accuracy
from kdtasks.report.slices import certain_harm, is_folder, severity_of
from kdtasks.tasks.registry import task_of

HERE = Path(__file__).parent


class CardParams(Section):
    """What only a person knows; the model card says "not stated" where it is null."""

    use: str | None = Field(default=None, description="what the model is meant for, and not for")
    data_licence: str | None = Field(default=None, description="licence of the images and labels")
    model_licence: str | None = Field(default=None, description="licence of the model")


def render_card(
    statistics: Statistics, selection: Selection, settings: ReportSettings, inputs: ReportInputs
) -> str:
    """Render the card as Markdown, from the numbers of the page."""
    environment = template_environment(HERE)
    filters = {name: write for name, write in vars(text).items() if callable(write)}
    environment.filters.update(filters, cell=_cell)
    metric, task = metric_on("test", statistics), task_of(statistics.task)
    shown = statistics.variants.get(selection.shown or "")
    test = known(shown.test) if shown else None
    dataset, benchmarks = known(inputs.dataset), _benchmarks(inputs, selection.limits.device)
    content = statistics.model_dump(mode="json", exclude_defaults=True, exclude={"metric"})
    return environment.get_template("card.md").render(
        **content,
        params=settings.params,
        selection=selection,
        shown=selection.shown,
        metric=metric,
        slice_metric=task.metrics[0].by(teacher=metric.is_agreement).name,
        per_pixel=task.per_pixel,
        headline=headline(statistics, selection),
        number_of_seeds=text.seeds(len(statistics.seeds)),
        labels_words=_labels_words(statistics),
        by_class=test.by_class if test else None,
        classes=test.classes if test else None,
        benchmarks=benchmarks,
        cpus=sorted({found["cpu"] for found in benchmarks.values() if "cpu" in found}),
        dataset_sha256=inputs.dataset_sha256,
        array_hashes=dataset.sha256 if dataset else {},
        params_sha256=inputs.params_sha256,
        scores_sha256={
            name: files.scores_sha256
            for name, files in inputs.variants.items()
            if files.scores_sha256
        },
        limits=_limits(statistics, selection),
    )


def _benchmarks(inputs: ReportInputs, device: str | None) -> dict[str, dict[str, Any]]:
    benchmarks = {name: known(files.benchmark) for name, files in inputs.variants.items()}
    timed = {name: record.on(device) if record else None for name, record in benchmarks.items()}
    return {name: times.model_dump(mode="json") if times else {} for name, times in timed.items()}


def _labels_words(statistics: Statistics) -> str:
    labels = known(statistics.labels)
    if labels is None:
        return ""
    return (
        f"Students saw {text.quantity(labels.train, 'label')} of the training split; "
        f"{labels.hidden:,} were hidden from them, {labels.unlabelled:,} further images had none."
    )


def _limits(statistics: Statistics, selection: Selection) -> list[str]:
    """What the figures do not say, or warn of."""
    metric = metric_on("test", statistics)
    tried = [name for name in statistics.slices if is_folder(name)]
    but = f" but what the slices {text.and_list(tried)} tell" if tried else ""
    limits = [
        "All figures are of images like those of the test split; of others, such as another "
        f"camera’s, nothing is known{but}.",
        "A probability is no certainty: images of no class get one of the classes, too.",
    ]
    limits += filter(None, [unknown_accuracy(statistics), uneven_classes(statistics)])
    variant = statistics.variants.get(selection.shown or "")
    calibration = known(variant.calibration) if variant else None
    if calibration and calibration.guarantee:
        limits.append(calibration.guarantee.statement)
    limits += [
        f"Compression to {which} certainly takes more on {name} than on the plain test split: "
        f"{text.points(-(row.excess or 0), signed=False)} more."
        for name, which, row in certain_harm(statistics.slices)
    ]
    if not any(map(severity_of, statistics.slices)):
        limits.append("Noise, blur and bad light were not tried.")
    test = known(variant.test) if variant else None
    if test and test.by_class and len(test.by_class) > 1:
        worst = min(test.by_class, key=lambda name: test.by_class[name].recall)  # type: ignore[index]
        row = test.by_class[worst]
        limits.append(
            f"Of the class {worst} it finds the fewest: "
            f"{text.percent_with_range(row.recall, row.interval)} of "
            f"{text.quantity(row.images, 'test image')}."
        )
    if metric.key == "mean_iou":
        limits.append("Masks have no early exits: every image takes the whole network.")
    return limits


def _cell(value: object) -> str:
    """Write what comes from data so that it stays within its cell of a table."""
    return " ".join(str(value).split()).replace("|", "\\|")
