"""Records of slices of the test split, and of the scores there.

A slice is named by its corruption and severity, `jpeg 3`, by the column of a table and its value,
`camera=left`, or as `evaluate.slices.folders` names it; `plain` is the test split as it is.
Scores are accuracies, of masks mean IoUs, 0 … 1, whatever models are compared by.
"""

from kdtasks.core.records import Part, Record

Interval = tuple[float, float]


class SliceRows(Record):
    """`data/slices.json`: which slice each test image belongs to, by row.

    Attributes:
        test: names of slices; None of no slice. Empty where the source tells none.
    """

    test: tuple[str | None, ...] = ()


class SliceScore(Part):
    """How right a model is on one slice.

    Attributes:
        score: of students the mean over seeds.
        interval: over test images; None of too few source images of masks.
    """

    score: float
    interval: Interval | None


class ComparedSlice(Part):
    """Teacher and students on one slice; None where there is none, or the teacher is a file."""

    teacher: SliceScore | None
    student: SliceScore | None
    distill: SliceScore | None


class VariantSlice(SliceScore):
    """A variant on one slice, paired with the distilled student that it was made of.

    Attributes:
        change: its score less that student's; None where that was not compared.
        change_interval: of the change, over images of the slice; None as `interval`.
        excess: the change less that on the plain test split.
        p_value: that both changes are one, two-sided; None of too few source images of masks.
        adjusted_p_value: after Holm's correction over all slices of all variants.
        hurts: whether compression certainly takes more here.
    """

    change: float | None = None
    change_interval: Interval | None = None
    excess: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    hurts: bool = False


class SliceSummary(ComparedSlice):
    """All models on one slice."""

    variants: dict[str, VariantSlice]
