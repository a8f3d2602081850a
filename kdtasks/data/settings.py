"""Params of `prepare`: where the images come from and how they are split."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from kdtasks.core.settings import Count, Index, OpenFraction, Section, Size
from kdtasks.data.sources import Source, sources
from kdtasks.edge.decoder import MAX_PIXELS


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
        description="fraction read once, by the evaluation; an official test set is kept instead"
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
        description="folder that the source reads: images or official files. It must exist, as "
        "DVC watches it",
    )
    unlabelled: str = Field(
        default="data/raw-unlabelled",
        description="folder, of any depth, of images without labels, which the teacher alone "
        "teaches; it must exist, and may be empty",
    )
    train_labels: Index | None = Field(
        default=None,
        description="labels of the training split that students see, stratified (of masks: source "
        "images); the teacher sees all. null: all; 0: none, and no student is taught by labels "
        "alone",
    )
    image_size: Annotated[tuple[Size, Size], Field(strict=False)] | None = Field(
        default=None,
        description="height and width in pixels that images are resized to; null keeps their own "
        "(not for a folder of classes)",
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="1 grey, 3 RGB; null keeps the source's own (files: 3)"
    )
    range: Annotated[tuple[Index, Index], Field(strict=False)] | None = Field(
        default=None,
        description="of images with 16 bits a channel, the values that become 0 and 255, such as "
        "`[0, 4095]` for 12 bits; null: the smallest of 8, 10, 12, 14 and 16 bits that holds all "
        "values",
    )
    max_pixels: Count = Field(
        default=MAX_PIXELS,
        description="images of more pixels are refused by their header, of WEBP five eighths and "
        "of JPEG 2000 half as many; decoding takes four to ten bytes a pixel",
    )
    max_images: Count | None = Field(
        default=None, description="take only so many images, stratified; null takes all"
    )
    split: SplitParams = Field(description="fractions of the four splits")
    seed: Index = Field(default=0, description="seed of the split")
    stable_split: bool = Field(
        default=False,
        description="whether an image's content, or its group's name, decides its split: added "
        "images then move no others, except copies that join groups, and those towards `train` "
        "only. Fractions hold on average",
    )
    group_by: Count | str | None = Field(
        default=None,
        description="images that belong together, such as a burst, stay in one split and count "
        "once: the number of folders of an image's name that form a group, or a pattern such as "
        r"`'scene(\d+)_'`, whose first group, or else the whole match, names it",
    )
    near_copies: bool = Field(
        default=True,
        description="whether copies with another brightness, codec, size or a shift of a few "
        "pixels belong together, too; the search takes half a minute of CPU for 60,000 small "
        "images, and four times that for twice as many",
    )
    on_bad: Literal["fail", "skip"] = Field(
        default="fail",
        description="bad images or masks: refuse the dataset, or leave them out and list them",
    )

    @field_validator("range")
    @classmethod
    def _is_range(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not value[0] < value[1] <= 65535:
            raise ValueError(f"{list(value)} is no range; [lowest, highest] of 0…65535 is expected")
        return value

    @field_validator("group_by")
    @classmethod
    def _is_pattern(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, str):
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _fits_the_source(self) -> "DataParams":
        self.source.check(self.image_size)
        return self

    @property
    def task(self) -> str:
        """What the labels are: one class an image, or one class a pixel."""
        return self.source.task
