"""Params of `prepare`: where the images come from and how they are split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdtasks.core.settings import Count, Index, OpenFraction, Section
from kdtasks.data.sources import Source, sources


class SplitParams(Section):
    """Fractions of the four splits; they add up to 1."""

    train: OpenFraction = Field(description="fraction that trains")
    validation: OpenFraction = Field(
        description="fraction that chooses seeds, variants and settings"
    )
    calibration: OpenFraction = Field(
        description="fraction that sets thresholds and quantisation ranges"
    )
    test: OpenFraction = Field(
        description="fraction read once, by the evaluation; sources with an official test set keep "
        "that set instead and ignore this number's size"
    )

    @model_validator(mode="after")
    def _adds_up(self) -> "SplitParams":
        total = self.train + self.validation + self.calibration + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the four fractions add up to {total:g}, they must add up to 1")
        return self


class DataParams(Section):
    """Where the images come from and how they are split."""

    source: Annotated[Source, sources] = Field(description="the kind of dataset")
    path: str = Field(
        default="data/raw",
        description="folder that the source reads: its images, or its official files. DVC watches "
        "it, so it must exist; sources inside a package leave it alone",
    )
    unlabelled: str = Field(
        default="data/raw-unlabelled",
        description="folder, of any depth, of images without labels, which the teacher alone "
        "teaches; it may be empty. DVC watches it, so it must exist",
    )
    train_labels: Count | None = Field(
        default=None,
        description="labels of the training split that students see, stratified (of masks: source "
        "images); the others are hidden from them, to find out what labels are worth. The teacher "
        "sees all; null hides none",
    )
    image_size: Annotated[tuple[Count, Count], Field(strict=False)] | None = Field(
        default=None,
        description="height and width in pixels that images are resized to; null keeps their "
        "own (not possible for a folder of classes, whose images may differ)",
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="1 grey, 3 RGB; null keeps the source's own (files: 3)"
    )
    max_images: Count | None = Field(
        default=None, description="take only so many images, stratified; null takes all"
    )
    split: SplitParams = Field(description="fractions of the four splits")
    seed: Index = Field(default=0, description="seed of the split")
    stable_split: bool = Field(
        default=False,
        description="whether an image's split depends on the image alone: then images that "
        "are added move no other one, and a model of last month has not been trained on this "
        "month's test images; fractions hold on average only",
    )
    on_bad: Literal["fail", "skip"] = Field(
        default="fail",
        description="bad images or masks: refuse the dataset, or leave them out and list them",
    )

    @model_validator(mode="after")
    def _fits_the_source(self) -> "DataParams":
        self.source.check(self.image_size)
        return self

    @property
    def task(self) -> str:
        """What the labels are: one class an image, or one class a pixel."""
        return self.source.task
