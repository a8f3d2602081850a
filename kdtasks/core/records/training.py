"""The record of a training: of the teacher, a student or a distilled one."""

from kdtasks.core.records import LabelsFrom, Part, Record


class ExitScores(Part):
    """Scores of every exit, [K], on the validation split.

    Attributes:
        balanced_accuracy, macro_f1: of classes alone.
        mean_iou: of masks alone.
        labels_from: `teacher` where the scores are agreement with its answers; else absent.
    """

    accuracy: tuple[float, ...]
    balanced_accuracy: tuple[float, ...] | None = None
    macro_f1: tuple[float, ...] | None = None
    mean_iou: tuple[float, ...] | None = None
    labels_from: LabelsFrom = None

    def score(self, metric: str) -> float:
        """Give the last exit's score by the metric of a key, one that its task has."""
        return float(getattr(self, metric)[-1])


class TrainedScores(ExitScores):
    """Scores with the loss, which an imported teacher does not have."""

    loss: float | None = None


class Member(Part):
    """A member of an ensemble, on the validation split."""

    seed: int
    accuracy: float
    loss: float


class Trend(Part):
    """How far a line through the validation score of the second half of the epochs rises in it.

    Attributes:
        rise: of the score, 0.01 a point; less than 0 where it falls.
        standard_error: of the rise, from the scatter of the epochs around the line.
        scatter_before: standard deviation of the epochs of the quarter before around their line.
    """

    rise: float
    standard_error: float
    scatter_before: float


class Training(Record):
    """`metrics/teacher.json`, `metrics/student/<seed>.json`, and those of `distill` and `arm`.

    Attributes:
        parameters: None of a teacher that does not tell.
        macs: [K], multiply-accumulates up to and including each exit; None of an imported teacher.
        epochs: that were trained; 0 of an imported teacher.
        seed: None of an imported teacher.
        start: the folder of the initial weights, where they are not random.
        kept_epoch: the epoch whose weights are kept, where that is the best one on validation.
        trend: absent of an imported teacher, of one that was stopped early, and of a training of
            fewer than twelve epochs.
        members: of an ensemble, whose other numbers are those of its members together.
    """

    validation: TrainedScores
    parameters: int | None
    macs: tuple[int, ...] | None
    epochs: int
    seed: int | None
    start: str | None = None
    trend: Trend | None = None
    kept_epoch: int | None = None
    members: tuple[Member, ...] | None = None
