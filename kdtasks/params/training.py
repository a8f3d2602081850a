"""Params of everything that trains but the distillation: runtime, loop, networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kdtasks.params.architecture import Architecture, HeadParams
from kdtasks.params.section import Count, Index, Names, Positive, Section

Weight = Annotated[float, Field(ge=0.0)]
Precision = Literal["float32", "bfloat16"]


class RuntimeParams(Section):
    """What results depend on bit for bit besides seeds."""

    threads: Count = Field(
        default=1,
        description="threads of every TensorFlow stage, part of reproducible results; "
        "`kdtasks run` runs as many stages side by side as the cores have room for",
    )
    precision: Precision = Field(
        default="float32",
        description="arithmetic of the training steps and of the teacher's answers to them; "
        "`bfloat16` is about twice as fast on processors with AVX512-BF16 or AMX, changes nothing "
        "on others, and leaves weights, validation and exported models in float32",
    )


class LabelLossParams(Section):
    """What labels teach: a sum of losses, each with its weight; 0.0 leaves one out."""

    cross_entropy: Weight = Field(default=1.0, description="weight of the cross-entropy")
    dice: Weight = Field(
        default=0.0,
        description="weight of the Dice loss, in which rare classes count as much as common ones",
    )
    focal: Weight = Field(
        default=0.0, description="weight of the focal loss, which turns to rows that are not right"
    )
    focal_gamma: Annotated[float, Field(ge=1.0)] = Field(
        default=2.0, description="how strongly the focal loss turns away from rows that are right"
    )
    class_weights: Literal["balanced"] | dict[str, Positive] | None = Field(
        default=None,
        description="weights of the classes, by name; `balanced` weighs a class by one over its "
        "share of the training labels; null weighs all as 1",
    )

    @model_validator(mode="after")
    def _teaches_something(self) -> "LabelLossParams":
        if not self.cross_entropy + self.dice + self.focal:
            raise ValueError(
                "cross_entropy, dice and focal are all 0; give one of them a weight above 0"
            )
        return self


class OptimizerParams(Section):
    """What turns gradients into steps; its rate falls along a cosine from `learning_rate` to 0."""

    name: Literal["adam", "sgd"] = Field(
        default="adam",
        description="`adam`, or `sgd` with Nesterov's momentum, which wants learning rates 20 "
        "to 50 times as high and, over many epochs, often ends more accurate",
    )
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.9, description="momentum of `sgd`; `adam` has its own"
    )
    weight_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="in each step kernels shrink by this share times the learning rate, apart "
        "from their gradients (decoupled); biases and batch normalisation do not",
    )


class TrainParams(Section):
    """The training loop that teacher, student and distillation share."""

    batch_size: Count = Field(default=64, description="pictures a step")
    memory_limit_mb: Count = Field(
        default=1024,
        description="training arrays up to this many MB are held in memory, larger ones streamed",
    )
    guard_epochs: Count = Field(
        default=5,
        description="stop after so many epochs in a row that predict one class only, "
        "and 100 steps at least",
    )
    optimizer: OptimizerParams = Field(
        default=OptimizerParams(), description="the optimiser of every training"
    )
    exit_gradient: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=1.0,
        description="share of the early exits' gradient that reaches the blocks below them: 1 "
        "trains all together; with 0 early exits learn from the features without changing them, "
        "and the last one is trained as if it were alone",
    )
    loss: LabelLossParams = Field(
        default=LabelLossParams(),
        description="the loss of the labels, also within the distillation",
    )


@dataclass(frozen=True)
class TrainingSetup:
    """What all trainings of a project share.

    Attributes:
        train: the loop.
        precision: arithmetic of the training steps.
        identity: all params as plain data; a checkpoint of other params is not gone on from.
    """

    train: TrainParams
    precision: Precision
    identity: Mapping[str, Any]


class TeacherParams(Section):
    """The teacher: trained here, or imported from a file."""

    source: Literal["train", "import"] = Field(description="train it here, or take a file")
    path: str = Field(
        default="models/import",
        description="file of an imported teacher: `.keras`, `.h5`, `.tflite` or a SavedModel "
        "folder. DVC watches it, so it must exist; a trained teacher leaves it alone",
    )
    output: Literal["auto", "logits", "probabilities"] = Field(
        default="auto",
        description="what an imported teacher puts out; `auto` looks at its outputs",
    )
    input: Literal["auto", "raw", "unit", "symmetric"] = Field(
        default="auto",
        description="what an imported teacher takes: 0…255, 0…1 or −1…1; `auto` takes the one "
        "with the best validation accuracy",
    )
    model: Architecture | None = Field(default=None, description="network of a trained teacher")
    epochs: Count = Field(default=20, description="epochs of a trained teacher")
    stop_epoch: Count | None = Field(
        default=None,
        description="stop the trained teacher after so many of its `epochs`",
    )
    ensemble: Count = Field(
        default=1, description="trained teachers that are averaged, with seeds from `seed` upwards"
    )
    learning_rate: Positive = Field(default=1e-3, description="first learning rate")
    seed: Index = Field(default=0, description="seed of a trained teacher")

    @model_validator(mode="after")
    def _source_is_complete(self) -> "TeacherParams":
        if self.source == "train" and self.model is None:
            raise ValueError("model is null; a trained teacher needs a network of the zoo")
        if self.source == "import" and (self.stop_epoch is not None or self.ensemble > 1):
            raise ValueError(
                "stop_epoch and ensemble are for teachers that are trained here; with source "
                f"import set stop_epoch: null and ensemble: 1, got {self.stop_epoch} and "
                f"{self.ensemble}"
            )
        if self.stop_epoch is not None and self.stop_epoch > self.epochs:
            raise ValueError(
                f"stop_epoch is {self.stop_epoch}, epochs {self.epochs}; stop at the last epoch or "
                "before it"
            )
        return self


class TargetsParams(Section):
    """What the teacher says of the training pictures."""

    mode: Literal["cached", "online"] = Field(
        default="cached",
        description="`cached`: the teacher's logits on every view are computed once, before any "
        "student; `online`: the teacher runs beside the student, on a new view of every picture "
        "in each epoch; `augmentation.views` then counts for the teacher's training alone",
    )
    top_classes: Count | None = Field(
        default=None,
        description="keep the logits of the teacher's so many likeliest classes and the mean of "
        "the others, which is smaller; null keeps all. For `cached` only",
    )
    batch_size: Count = Field(default=256, description="pictures a teacher pass")
    features: Names = Field(
        default=(),
        description="blocks of a teacher of the zoo, or layers of any Keras teacher, whose hidden "
        "features are given besides: those that `distill.hints` look at, or more",
    )

    @model_validator(mode="after")
    def _is_stored(self) -> "TargetsParams":
        if self.mode == "online" and self.top_classes is not None:
            raise ValueError(
                f"top_classes is {self.top_classes}, mode online, which stores no answers; set "
                "top_classes to null"
            )
        return self


class StudentParams(Section):
    """The student's network; from scratch and distilled it is the same."""

    model: Architecture = Field(description="network of the student")
    exits: Names = Field(
        default=(),
        description="blocks of the network after which an early exit is attached, in order; the "
        "last exit is always there",
    )
    heads: dict[str, HeadParams] = Field(
        default={},
        description="for blocks among `exits`: what their exit does with the features, as in "
        "`{block_1: {filters: 32, grid: 2}}`",
    )
    start: str = Field(
        default="models/start",
        description="folder of networks to start from, one a seed, `0`, `1` …, in the form of "
        "`models/distill`; if it is empty, training starts from random weights. DVC watches it, "
        "so it must exist",
    )
    backbone_first: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="share of the epochs in which the last exit is trained alone; from then on, "
        "and by default from the start, all exits are trained together",
    )
    learning_rate: Positive = Field(default=1e-3, description="first learning rate")
