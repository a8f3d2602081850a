"""Params of the targets."""

from typing import Literal

from pydantic import Field, model_validator

from kdtasks.core.settings import Count, Fraction, Names, Section


class TargetsParams(Section):
    """What the teacher says of the training images."""

    mode: Literal["cached", "online"] = Field(
        default="cached",
        description="`cached`: the teacher answers once to every view, before any student; "
        "`online`: it runs beside the student, on new views in each epoch, and "
        "`augmentation.views` counts for training the teacher alone",
    )
    top_k: Count | None = Field(
        default=None,
        description="keep the teacher's logits of this many likeliest classes and the mean of the "
        "others; null keeps all. For `cached` only",
    )
    batch_size: Count = Field(default=256, description="images a teacher pass")
    min_confidence: Fraction = Field(
        default=0.0,
        description="leave out unlabelled images of which the teacher is less sure, by its "
        "likeliest class's probability (of masks: the mean over pixels)",
    )
    features: Names = Field(
        default=(),
        description="blocks of a built-in teacher, or layers of any Keras teacher, whose features "
        "are given as well; `distill.hints` needs them",
    )

    @model_validator(mode="after")
    def _is_stored(self) -> "TargetsParams":
        if self.mode == "online" and self.top_k is not None:
            raise ValueError(
                f"top_k is {self.top_k}, mode online, which stores no answers; set top_k to null"
            )
        return self
