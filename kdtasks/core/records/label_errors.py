"""Record of labels that models which never saw them would not give."""

from kdtasks.core.records import Part, Record


class SuspectedLabel(Part):
    """A label that is probably wrong.

    Attributes:
        name: of the image, such as its path.
        split: that it is in.
        given: its class.
        suggested: the class that it is counted for.
        margin: probability of the given class less that of the likeliest other one.
        students: how many of them answer the suggested class.
        teacher: what it answers; absent where it was not asked.
    """

    name: str
    split: str
    given: str
    suggested: str
    margin: float
    students: int
    teacher: str | None = None


class LabelErrors(Record):
    """`metrics/label_errors.json`.

    Attributes:
        images: whose labels were judged, by split.
        students: taught by labels alone, one for each seed.
        teacher: images that the teacher judged too: those that it is known not to have learnt.
        estimated: fraction of the labels that is wrong, by the estimated joint distribution.
        found: suspected labels.
        shown: the worst of them, in the rows of `plots/label_errors.npz`.
    """

    images: dict[str, int]
    students: int
    teacher: int
    estimated: float
    found: int
    shown: tuple[SuspectedLabel, ...]
