"""Params of `prepare`: where the pictures come from and how they are split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdtasks.core.settings import Count, Index, OpenFraction, Section

DatasetName = Literal[
    "mnist-5k", "digits", "fashion_mnist", "cifar10", "image_folder", "segmentation_folder"
]


class SplitParams(Section):
    """Shares of the four splits; they add up to 1."""

    train: OpenFraction = Field(description="share that trains")
    validation: OpenFraction = Field(description="share that chooses seeds, variants and settings")
    calibration: OpenFraction = Field(
        description="share that sets thresholds and quantisation ranges"
    )
    test: OpenFraction = Field(
        description="share read once, by the evaluation; datasets with an official test set "
        "(`fashion_mnist`, `cifar10`) keep that set instead and ignore this number's size"
    )

    @model_validator(mode="after")
    def _adds_up(self) -> "SplitParams":
        total = self.train + self.validation + self.calibration + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the four shares add up to {total:g}, they must add up to 1")
        return self


class SegmentationParams(Section):
    """How masks are read and how pictures are cut into patches."""

    images: str = Field(default="images", description="folder of pictures below `data.path`")
    masks: str = Field(default="masks", description="folder of masks below `data.path`")
    classes: dict[str, str | Annotated[int, Field(ge=0, le=254)]] = Field(
        description="class name to its mask colour (`'#3C1098'`) or to its index in an index mask"
    )
    ignore: Annotated[
        tuple[str | Annotated[int, Field(ge=0, le=255)], ...], Field(strict=False)
    ] = Field(default=(), description="colours or indices that are unlabelled: never counted")
    patch_size: Count = Field(default=128, description="side of the square patches, in pixels")
    overlap: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="share of a patch's side that its neighbour repeats"
    )


class DataParams(Section):
    """Where the pictures come from and how they are split."""

    name: DatasetName = Field(description="the dataset")
    path: str = Field(
        default="data/raw",
        description="folder of the pictures (`image_folder`, `segmentation_folder`) or of the "
        "official files (`fashion_mnist`, `cifar10`; Keras downloads them where it holds none). "
        "DVC watches it, so it must exist; datasets inside a package leave it alone",
    )
    image_size: Annotated[tuple[Count, Count], Field(strict=False)] | None = Field(
        default=None,
        description="height and width in pixels that pictures are resized to; null keeps their "
        "own (not possible for `image_folder`, whose pictures may differ)",
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="1 grey, 3 RGB; null keeps the dataset's own (folders: 3)"
    )
    max_images: Count | None = Field(
        default=None, description="take only so many pictures, stratified; null takes all"
    )
    split: SplitParams = Field(description="shares of the four splits")
    seed: Index = Field(default=0, description="seed of the split")
    stable_split: bool = Field(
        default=False,
        description="whether a picture's split depends on the picture alone: then pictures that "
        "are added move no other one, and a model of last month has not been trained on this "
        "month's test pictures; shares hold on average only",
    )
    on_bad: Literal["fail", "skip"] = Field(
        default="fail",
        description="bad pictures or masks: refuse the dataset, or leave them out and list them",
    )
    segmentation: SegmentationParams | None = Field(
        default=None, description="masks and patches; only for `segmentation_folder`"
    )

    @model_validator(mode="after")
    def _fits_the_dataset(self) -> "DataParams":
        if self.name == "image_folder" and self.image_size is None:
            raise ValueError("image_size is null; image_folder needs [height, width]")
        if (self.name == "segmentation_folder") != (self.segmentation is not None):
            raise ValueError(
                "segmentation must be given for segmentation_folder and for no other dataset"
            )
        return self

    @property
    def task(self) -> Literal["classification", "segmentation"]:
        """What the labels are: one class a picture, or one class a pixel."""
        return "segmentation" if self.name == "segmentation_folder" else "classification"
