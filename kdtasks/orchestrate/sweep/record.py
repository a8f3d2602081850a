"""The record of a sweep: every number of its page."""

from pydantic import JsonValue

from kdtasks.core.records import Part, Record
from kdtasks.core.records.evaluate import SeedScores
from kdtasks.orchestrate.sweep.label_curve import LabelCurve
from kdtasks.orchestrate.sweep.statistics import Choice, PointGain


class SweptAxis(Part):
    """A key of params.yaml and the values that it took."""

    key: str
    values: tuple[JsonValue, ...]


class SweptPoint(Part):
    """A point of the grid, whatever came out.

    Attributes:
        label: as people read it: `alpha=0.1, temperature=3`.
        settings: key of params.yaml to value.
        experiment: name of its DVC experiment.
    """

    label: str
    settings: dict[str, JsonValue]
    experiment: str


class FailedPoint(SweptPoint):
    """A point without a result, and why."""

    failed: str


class PointSummary(SweptPoint):
    """A point that ended well.

    Attributes:
        teacher: its test score; None where it was not tested.
        teacher_lead: over the students from scratch, paired over test images.
        rows: of the test split.
        labels: that students see.
        processors: kinds that its stages may have run on.
        student, distill: test scores from scratch and distilled.
        validation: of the distilled student.
    """

    teacher: float | None
    teacher_lead: tuple[float, float] | None
    rows: int
    labels: int
    processors: tuple[str, ...]
    gain: PointGain
    student: SeedScores
    distill: SeedScores
    validation: SeedScores


class SweepSummary(Record):
    """`sweep.json`.

    Attributes:
        metric: the name of what models are compared by.
        confidence: level of intervals and, of all points together, of verdicts.
        compared: points, those that failed too.
        chosen: the point that is best on validation; None where all failed.
    """

    recipe: str
    metric: str
    axes: tuple[SweptAxis, ...]
    seeds: tuple[int, ...]
    confidence: float
    compared: int
    points: tuple[PointSummary | FailedPoint, ...]
    chosen: Choice | None
    label_curves: tuple[LabelCurve, ...]

    @property
    def ended(self) -> dict[str, PointSummary]:
        """The points that ended well, by label."""
        return {point.label: point for point in self.points if isinstance(point, PointSummary)}
