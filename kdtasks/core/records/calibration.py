"""Records of calibrated exits; costs are a fraction of the whole network's MACs."""

from kdtasks.core.records import LabelsFrom, Part, Record
from kdtasks.core.records.evaluate import Quality


class ExpectedPoint(Part):
    """What thresholds do on the rows that they were chosen on.

    Attributes:
        exit_rate: [K], fraction of rows that leave at each exit.
    """

    accuracy: float
    cost: float
    exit_rate: tuple[float, ...]


class ValidationPoint(Quality):
    """What thresholds do on the validation split."""

    cost: float


class CandidateCounts(Part):
    """Thresholds that were found, and how many of them were certified."""

    found: int
    certified: int


class Guarantee(Part):
    """What is promised of new images, and how that is known.

    Attributes:
        epsilon: the mean loss that is promised.
        delta: the probability with which the promise may be broken.
        p_value: of the chosen thresholds; None where nothing could be certified.
        loss: mean of the rows that were tested.
        statement: the promise in a sentence.
    """

    risk: str
    epsilon: float
    delta: float
    certified: bool
    p_value: float | None
    loss: float
    rows: int
    candidates: CandidateCounts
    statement: str


class Calibration(Record):
    """`exits/<variant>/calibration.json`.

    Attributes:
        mode: as of `exits.mode`; `none` where there is nothing to calibrate.
        temperatures: [K].
        thresholds: [K − 1].
        macs: [K], multiply-accumulates up to and including each exit.
        expected, full, rows: on the calibration split, `full` always to the last exit; absent in
            mode `none`.
        guarantee: in mode `guarantee` alone.
        expected_drop: in mode `drop`, the accuracy that early exits are expected to lose on new
            images, cross-fitted; absent where none is left early.
        labels_from: `teacher` where its answers stand in the place of labels, so that scores are
            agreement with it, on the calibration split; else absent.
    """

    mode: str
    score: str
    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]
    macs: tuple[int, ...]
    validation: ValidationPoint
    expected: ExpectedPoint | None = None
    full: Quality | None = None
    rows: int | None = None
    guarantee: Guarantee | None = None
    expected_drop: float | None = None
    labels_from: LabelsFrom = None
