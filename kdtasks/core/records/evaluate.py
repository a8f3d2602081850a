"""Records of test scores.

Scores are 0 … 1, intervals low end and high end, costs a fraction of the whole network's MACs.
"""

from pydantic import Field

from kdtasks.core.records import LabelsFrom, Part, Record, Refusal
from kdtasks.core.records.slices import ComparedSlice, Interval, SliceScore


class Quality(Part):
    """How right answers are.

    Attributes:
        balanced_accuracy: of classes alone, the mean of their recalls.
        macro_f1: of classes alone, the mean of their F1s.
        mean_iou: of masks alone.
    """

    accuracy: float
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    mean_iou: float | None = None

    def score(self, metric: str) -> float:
        """Give the score by the metric of a key, one that its task has."""
        return float(getattr(self, metric))


class ClassScores(Part):
    """Scores of one class of masks; None where nothing counts.

    Attributes:
        pixels: that are labelled as of this class.
    """

    iou: float | None
    dice: float | None
    precision: float | None
    recall: float | None
    average_precision: float | None
    pixels: int


class PrecisionRecall(Part):
    """Precision and recall of all classes together at a probability of 0.5."""

    precision: float | None
    recall: float | None


class MaskScores(Part):
    """Scores that masks alone have, besides accuracy and mean IoU; means over the classes."""

    dice: float | None = None
    precision: float | None = None
    recall: float | None = None
    at_half: PrecisionRecall | None = None
    classes: dict[str, ClassScores] | None = None


class ModelScores(MaskScores, Quality):
    """The test scores of one model.

    Attributes:
        interval: of the metric that models are compared by; None of too few images.
    """

    interval: Interval | None


class SplitSize(Part):
    """What was tested on.

    Attributes:
        rows: images, or patches of masks.
        groups: of classes alone, how many of the images count, where that is fewer.
        images, pixels: of masks alone, source images and labelled pixels.
    """

    rows: int
    groups: int | None = None
    images: int | None = None
    pixels: int | None = None


class FullScores(Quality):
    """The scores of always going to the last exit, with the interval as of `ModelScores`."""

    interval: Interval


class ClassAnswers(Part):
    """How the images of one class are answered.

    Attributes:
        recall: fraction of its images that are answered with it, with its interval.
        precision: fraction of the answers with it that are right; None where there are none.
        images: of the class.
    """

    recall: float
    interval: Interval
    precision: float | None
    f1: float
    images: int


class Baseline(Quality):
    """What always answering the class with the most training images, `answer`, would reach."""

    answer: str


class Exit(Part):
    """What one exit does; accuracies are None where no row counts.

    Attributes:
        reached, exit_rate: fractions of all rows.
        accuracy_all, accuracy_reached, accuracy_taken: on all rows, and on those fractions.
    """

    reached: float
    exit_rate: float
    accuracy_all: float
    accuracy_reached: float | None
    accuracy_taken: float | None


class ChangedAnswers(Part):
    """Rows that left early with another answer than the last exit's, and which of both is right.

    Attributes:
        interval: of the accuracy with early exits less that without, paired over all rows.
    """

    rows: int
    early_right: int
    last_right: int
    interval: Interval


class ReliabilityBin(Part):
    """The rows whose confidence lies in one bin: their means, and how many they are."""

    confidence: float
    accuracy: float
    rows: int


class Evaluation(Record, ModelScores, SplitSize):
    """`metrics/evaluate/<variant>.json`: a bundle on the test split.

    Of classes `full` to `baseline` are there, of masks `MaskScores`.

    Attributes:
        metric: what models are compared by, where that is not the task's first.
        cost: mean of the rows.
        saved: what `cost` leaves.
        mean_macs: multiply-accumulates a row.
        calibration_error: [K].
        confusion: [C, C], images, of masks pixels, by label and answer.
        intervals: by metric.
        by_class: by class name.
        labels_from: as of `Calibration`, on the test split.
        slices: by name, where `evaluate.slices` asks for any.
    """

    metric: str | None = None
    cost: float
    full: FullScores | None = None
    saved: float | None = None
    mean_macs: float | None = None
    exits: tuple[Exit, ...] | None = None
    changed: ChangedAnswers | None = None
    calibration_error: tuple[float, ...] | None = None
    intervals: dict[str, Interval] | None = None
    by_class: dict[str, ClassAnswers] | None = None
    baseline: Baseline | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    labels_from: LabelsFrom = None
    slices: dict[str, SliceScore] = Field(default={})


class SeedScores(MaskScores):
    """A student's test score, by the metric that models are compared by, over seeds.

    Attributes:
        by_seed: score by seed.
        interval: of `mean` over seeds; None where they show no spread.
        accuracy: of masks alone, mean over seeds as the other scores of masks are.
    """

    by_seed: dict[str, float]
    mean: float
    interval: Interval | None
    accuracy: float | None = None


class Gain(Part):
    """The score of the distilled student less that of the student taught by labels alone.

    Attributes:
        judged: so many of the first seeds stand behind `mean`, `interval` and `verdict`.
        interval: of `mean` over seeds; None where they show no spread, or are fewer than three.
        bootstrap_interval: over test images, of masks a jackknife's; None of too few.
        seeds_needed: how many more may tell; None where that means nothing.
    """

    judged: int
    mean: float
    interval: Interval | None
    bootstrap_interval: Interval | None
    by_seed: dict[str, float]
    verdict: str
    seeds_needed: int | None


class ArmScores(SeedScores):
    """A further student's scores.

    Attributes:
        gain: over the student taught by labels alone, at a level that all arms share; None where
            there is none.
    """

    gain: Gain | None


class Comparison(Record, SplitSize):
    """`metrics/compare.json`: teacher and students of all seeds on the test split.

    Attributes:
        metric: what models are compared by, where that is not the task's first.
        teacher: None where it is a file of answers that lacks test images, or its answers are the
            labels.
        student: None where students see no label, so that none is taught by labels alone.
        gain: of the distilled student over that one; a refusal where it is None.
        arms: further students, as of `distill.arms`.
        teacher_lead: interval over test images, paired, of the teacher's score less the students'
            mean; None of too few source images, or where one of the two was not tested.
        teacher_worse_than_student: whether that interval lies below 0.
        labels_from: as of `Calibration`, on the test split.
        slices: by name, where `evaluate.slices` asks for any.
    """

    metric: str | None = None
    teacher: ModelScores | None
    student: SeedScores | None
    distill: SeedScores
    gain: Gain | Refusal
    teacher_lead: Interval | None
    teacher_worse_than_student: bool
    arms: dict[str, ArmScores] = Field(default={})
    labels_from: LabelsFrom = None
    slices: dict[str, ComparedSlice] = Field(default={})
