"""Records of the report: the choice of a variant, and the numbers behind the page."""

from pydantic import ConfigDict, Field

from kdtasks.core.latency import Latency, Statistic
from kdtasks.core.records import Part, Record, Refusal
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Parity, Sensitivity
from kdtasks.core.records.data import Dataset, Labels, TeacherConfidence
from kdtasks.core.records.evaluate import (
    ArmScores,
    Evaluation,
    Gain,
    Interval,
    MaskScores,
    ReliabilityBin,
)
from kdtasks.core.records.prospect import Prospect
from kdtasks.core.records.slices import SliceSummary


class Limits(Part):
    """Limits of `select`, None where there is none; `device` is where latency is judged."""

    max_size_kb: float | None
    max_latency_ms: float | None
    latency_statistic: Statistic
    max_accuracy_drop: float | None
    max_agreement_drop: float | None = None
    device: str | None = None

    @property
    def where(self) -> str:
        """Where latency is judged, as it ends a phrase; empty of this machine."""
        return f" on {self.device}" if self.device else ""


class VariantMetrics(Part):
    """What a variant is chosen by; None where something could not be measured.

    Attributes:
        refused: why the variant has no model.
        accuracy: on the validation split with early exits, by `evaluate.metric`; of masks the mean
            IoU.
        accuracy_drop: against the last exit of the distilled student.
        latency_ms: of images of that split.
        macs: mean compute of an image on the validation split, with early exits.
    """

    refused: str | None
    accuracy: float | None
    accuracy_drop: float | None
    bytes: int | None
    latency_ms: Latency | None
    macs: float | None


class CandidateSummary(VariantMetrics):
    """A variant that could be shipped.

    Attributes:
        within: whether all limits are kept.
        reasons: the limits that are not, in words.
    """

    within: bool
    reasons: tuple[str, ...]


class Selection(Record):
    """`report/selection.json`.

    Attributes:
        chosen: the variant to ship; None where none is within the limits.
        objective: what the choice makes best.
        candidates: by variant.
        pareto: variants that no other one beats on everything.
        nearest: the variant that breaks its limits least, where none is chosen.
        sentence: the choice in words.
        reason: why the chosen one, and which others are faster or smaller; "" where none is.
        headline: the whole report in a sentence; absent until the page is written.
    """

    chosen: str | None
    objective: str
    limits: Limits
    candidates: dict[str, CandidateSummary]
    pareto: tuple[str, ...]
    nearest: str | None
    sentence: str
    reason: str = ""
    headline: str = ""

    @property
    def shown(self) -> str | None:
        """The variant that the page shows in full."""
        return self.chosen or self.nearest


class ModelSummary(MaskScores):
    """A model's test scores, as in `metrics/compare.json`, and what its training says of it.

    Attributes:
        refused: why there are no test scores.
        interval: as there; absent where there are no test scores.
        macs: of the whole network.
        validation_accuracy: of the last exit, mean over seeds.
        rise: of the validation score over the second half of the epochs, mean over seeds; only
            where it says that the model was still improving at the end.
    """

    parameters: int | None
    macs: int | None
    epochs: int | None
    validation_accuracy: float | None
    refused: str | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    mean_iou: float | None = None
    interval: Interval | tuple[()] | None = ()
    by_seed: dict[str, float] | None = None
    mean: float | None = None
    rise: float | None = None


class Curve(Part):
    """A learning curve over seeds: at each epoch the mean, the least and the largest."""

    epoch: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seeds: int


class ExitChange(Part):
    """What early exits change in the test accuracy, and what they cost."""

    mean: float
    interval: Interval
    verdict: str
    cost: float


class VariantSummary(Part):
    """A variant; None where something could not be measured.

    Attributes:
        refused: why the variant has no model.
        macs: [K]; empty where there is no model.
        validation_accuracy: of the last exit.
        parity: how far its file is from the network that it was converted from.
        exit_change: None of a network without early exits.
        tradeoff: cost and accuracy of the best operating points.
        reliability: bins of every exit.
    """

    refused: str | None
    base_seed: int | None
    bytes: int | None
    gzip_bytes: int | None
    parameters: int | None
    nonzero_parameters: int | None
    macs: tuple[int, ...]
    validation_accuracy: float | None
    parity: Parity | None
    test: Evaluation | Refusal
    exit_change: ExitChange | None
    calibration: Calibration | Refusal
    tradeoff: tuple[tuple[float, float], ...]
    reliability: tuple[tuple[ReliabilityBin, ...], ...]


class Statistics(Record):
    """`report/statistics.json`: every number of the page but the timings.

    Attributes:
        metric: what models are compared by, where that is not the task's first.
        confidence: level of the intervals.
        rows: of the test split; None where nothing was compared.
        start: the folder of the students' initial weights; None where they are random.
        teacher_has_weight: whether it taught the distilled student anything.
        unlabelled: how sure the teacher is of the images without a label; None where there are
            none.
        arms: further students that were compared.
        training: `teacher`, `student` and `distill` to curves by column.
        exit_names: [K].
        variants: by name.
        versions: of Python and of packages.
        slices: by name, `plain` first; absent where `evaluate.slices` asks for none.
    """

    recipe: str
    task: str
    metric: str | None = None
    seeds: tuple[int, ...]
    confidence: float
    rows: int | None
    data: Dataset | Refusal
    teacher: ModelSummary
    student: ModelSummary
    distill: ModelSummary
    start: str | None
    gain: Gain | Refusal
    teacher_worse_than_student: bool
    teacher_has_weight: bool = True
    labels: Labels | Refusal
    unlabelled: TeacherConfidence | None
    prospect: Prospect | Refusal
    arms: dict[str, ArmScores]
    training: dict[str, dict[str, Curve]]
    exit_names: tuple[str, ...]
    variants: dict[str, VariantSummary]
    sensitivity: Sensitivity | Refusal
    versions: dict[str, str]
    slices: dict[str, SliceSummary] = Field(default={})


class Summary(Record):
    """`report/summary.json`: the numbers that experiments are compared by, each under its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)
