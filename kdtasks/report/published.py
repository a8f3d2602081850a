"""What ships now beside what was published: the figures that both files tell."""

from typing import Any, NamedTuple

from kdtasks.core import text
from kdtasks.core.records.report import Selection, Statistics
from kdtasks.edge.manifest import Manifest
from kdtasks.report.inputs import known
from kdtasks.report.sentences import metric_on
from kdtasks.tasks.classification import Classification


class PublishedComparison(NamedTuple):
    """A table of two models.

    Attributes:
        name, variant: of the published one.
        rows: what is compared, and both figures in words.
        same_images: whether both were tested on the same dataset.
    """

    name: str
    variant: str
    rows: list[tuple[str, str, str]]
    same_images: bool


def against_published(
    manifest: Manifest | None, statistics: Statistics, selection: Selection, dataset_sha256: str
) -> PublishedComparison | None:
    """Compare the variant that is shown with a published bundle; None without either.

    Args:
        manifest: of the bundle in `models/published`.
        dataset_sha256: hash of the description of this project's dataset.
    """
    variant = statistics.variants.get(selection.shown or "")
    if manifest is None or variant is None or variant.bytes is None:
        return None
    test, metric = known(variant.test), metric_on("test", statistics)
    score = test.score(metric.key) if test else None
    is_accuracy = metric.key == Classification.metrics[0].key
    before: dict[str, Any] = (manifest.metrics or {}).get("test", {})
    rows = [
        (
            f"Test {metric.name}",
            # its interval is that of the accuracy, whatever models are compared by
            _score(before.get(metric.key), before.get("interval") if is_accuracy else None),
            _score(score, test.interval if test else None),
        ),
        ("File", text.kilobytes(manifest.bytes), text.kilobytes(variant.bytes)),
        (
            "Mean MACs with early exits",
            _mean_macs(manifest.macs, before.get("cost")),
            _mean_macs(variant.macs, test.cost if test else None),
        ),
        (
            "MACs to the last exit",
            text.millions(manifest.macs[-1]),
            text.millions(variant.macs[-1]),
        ),
    ]
    same_images = manifest.dataset_sha256 == dataset_sha256
    return PublishedComparison(manifest.name, manifest.variant, rows, same_images)


def _score(value: float | None, interval: Any) -> str:
    return text.percent_with_range(value, interval) if value is not None else "not tested"


def _mean_macs(macs: tuple[int, ...], cost: float | None) -> str:
    return text.millions(macs[-1] * cost) if cost is not None else "not tested"
