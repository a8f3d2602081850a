"""Records of the dataset and of what the teacher says of it."""

from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from kdtasks.core.records import Part, Record

_STRICT = ConfigDict(extra="forbid", strict=True)

# Why there is no student that labels alone teach.
NO_LABELS = (
    "students see no label of the training split, so none of them can be taught by labels alone"
)


class SplitCounts(Part):
    """The size of a split.

    Attributes:
        total: rows.
        by_class: images, or labelled pixels, by class name.
        groups: how many rows count, those of one group once; absent where all do.
    """

    total: int
    by_class: dict[str, int]
    groups: int | None = None

    @property
    def independent(self) -> int:
        """How many rows count."""
        return self.total if self.groups is None else self.groups


@dataclass(frozen=True, config=_STRICT)
class Duplicate:
    """Images with equal pixels, by origin, and the distinct labels that they bear."""

    images: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def contradicts(self) -> bool:
        """Whether the same image bears more than one label."""
        return len(self.labels) > 1


@dataclass(frozen=True, order=True, config=_STRICT)
class Problem:
    """An item of the source that is not in the dataset (`path`), and why (`problem`)."""

    path: str
    problem: str


class GroupCounts(Part):
    """What is together in one split, and counts once: equal images, near copies, named groups.

    Attributes:
        total: groups; an image on its own is one.
        shared: images, or patches, in groups of two or more.
        largest: images, or patches, of the largest one.
    """

    total: int
    shared: int
    largest: int


class Dataset(Record):
    """`data/prepared/dataset.json`.

    Attributes:
        image_shape: height, width, channels.
        ignore_label: the label of unlabelled pixels; None where all labels count.
        counts: by split.
        sha256: of the arrays, by file name.
        contradictions: those duplicates that bear more than one label.
        groups: over all splits.
        split_by: what was kept together, in words.
        deep_range: of images with 16 bits a channel, the values that became 0 and 255; absent where
            there were none.
        notes: what was found out of the files, in words; absent where there was nothing to say.
        warnings: what a person should look into: sentences.
        teacher_labelled: splits without labels, whose `labels` are the teacher's likeliest classes;
            absent where all have their own.
    """

    name: str
    task: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    ignore_label: int | None
    counts: dict[str, SplitCounts]
    sha256: dict[str, str]
    duplicates: tuple[Duplicate, ...]
    contradictions: tuple[Duplicate, ...]
    excluded: tuple[Problem, ...]
    groups: GroupCounts
    split_by: str
    deep_range: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    teacher_labelled: tuple[str, ...] = ()


class Unlabelled(Record):
    """`data/unlabelled/unlabelled.json`: the images without a label.

    Attributes:
        images: that the teacher teaches.
        excluded: that cannot be used, or show what an image that models are tested or chosen by
            shows.
        repeated: further copies of one image, which are there once.
    """

    images: int
    excluded: tuple[Problem, ...]
    repeated: int


class TeacherImages(Record):
    """`data/teacher-images/images.json`: the images that the teacher sees.

    Attributes:
        shape: height, width, channels; None where it sees those of the student.
    """

    shape: tuple[int, int, int] | None


class Labels(Record):
    """`metrics/labels.json`: how many labels students are taught with, of masks source images.

    Attributes:
        train: those that they see.
        hidden: those that `data.train_labels` hides from them.
        by_class: images, or labelled pixels, among those that they see.
        unlabelled: images that never had one.
        validation, calibration: labels that settings and thresholds are chosen by.
    """

    train: int
    hidden: int
    by_class: dict[str, int]
    unlabelled: int
    validation: int
    calibration: int


class Features(Part):
    """A hidden layer of the teacher, and the shape [height, …, channels] of its features.

    Attributes:
        file: of the features; absent where the teacher runs beside the student.
    """

    layer: str
    shape: tuple[int, ...]
    file: str | None = None


class TeacherConfidence(Part):
    """How sure the teacher is of the images without a label.

    Attributes:
        images: that there are.
        excluded: of them, because it is less sure than `targets.min_confidence`.
        by_confidence: images in ten equal bins of its likeliest class's probability.
    """

    images: int
    excluded: int
    by_confidence: tuple[int, ...]


class Targets(Record):
    """`data/targets/targets.json`.

    Attributes:
        mode: `cached` or `online`.
        images: images of the training split, and those without a label.
        views, classes: cached alone: augmented copies of the split, and logits a label.
        agreement: cached alone: fraction of labels that the teacher gets right, by view.
        top_k: cached alone, where not all logits are kept: how many are.
        augmentation: online alone: the params of the views.
        batch_size: online alone: images a pass of the teacher.
        unlabelled: where there are images without a label.
    """

    mode: str
    images: int
    features: tuple[Features, ...]
    views: int | None = None
    classes: int | None = None
    agreement: tuple[float, ...] | None = None
    top_k: int | None = None
    augmentation: dict[str, Any] | None = None
    batch_size: int | None = None
    unlabelled: TeacherConfidence | None = None
