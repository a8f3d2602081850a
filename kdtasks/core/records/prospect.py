"""The record of a forecast: whether a teacher will help, said before students are trained."""

from typing import Literal

from kdtasks.core.records import Part, Record

Outlook = Literal["will not help", "little to gain", "likely to help", "inconclusive"]


class ProspectFigures(Part):
    """What the validation split says of a teacher and a quickly trained student.

    Scores are 0 … 1: the accuracy, or the mean IoU of masks.

    Attributes:
        rows: independent images that both answered; patches of one image are one.
        teacher, student: their scores.
        epochs: that the student was trained, on the labels that students see.
        lead: paired interval of the teacher's score less the student's.
        agreement: fraction of answers, of masks of pixels, that are the same.
        calibration_error: mean gap between the teacher's confidence and how often it is right.
        confidence: mean probability of its likeliest class.
        temperature: of the distillation, the highest of a schedule; None where the loss does not
            soften the teacher's logits as they are.
        entropy: mean of its answers at that temperature, in bits; None as there.
        labels: images whose labels students see.
        images: that the teacher teaches, with a label or without.
        sure: fraction of the images that never had a label of which the teacher is 90 % sure or
            more; absent where there are none.
    """

    rows: int
    teacher: float
    student: float
    epochs: int
    lead: tuple[float, float]
    agreement: float
    calibration_error: float
    confidence: float
    temperature: float | None
    entropy: float | None
    labels: int
    images: int
    sure: float | None = None


class Prospect(Record, ProspectFigures):
    """`metrics/prospect.json`: the figures, and the advice that follows from them by rule."""

    outlook: Outlook
    advice: str
