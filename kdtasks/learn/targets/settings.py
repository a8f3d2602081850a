"""Params of the targets."""

from typing import Literal

from pydantic import Field, model_validator

from kdtasks.core.settings import Count, Fraction, Names, Section


class TargetsParams(Section):
    """What the teacher says of the training images."""

    mode: Literal["cached", "online"] = Field(
        default="cached",
        description="`cached`: the teacher's logits on every view are computed once, before any "
        "student; `online`: the teacher runs beside the student, on a new view of every image "
        "in each epoch; `augmentation.views` then counts for the teacher's training alone",
    )
    top_k: Count | None = Field(
        default=None,
        description="keep the logits of the teacher's so many likeliest classes and the mean of "
        "the others, which is smaller; null keeps all. For `cached` only",
    )
    batch_size: Count = Field(default=256, description="images a teacher pass")
    min_confidence: Fraction = Field(
        default=0.0,
        description="images without a label of which the teacher is less sure, by the probability "
        "of its likeliest class (of masks: its mean over pixels), are left out: often they are of "
        "no class at all",
    )
    features: Names = Field(
        default=(),
        description="blocks of a teacher of the zoo, or layers of any Keras teacher, whose hidden "
        "features are given besides: those that `distill.hints` look at, or more",
    )

    @model_validator(mode="after")
    def _is_stored(self) -> "TargetsParams":
        if self.mode == "online" and self.top_k is not None:
            raise ValueError(
                f"top_k is {self.top_k}, mode online, which stores no answers; set top_k to null"
            )
        return self
