"""Params of everything that trains but the distillation: runtime, loop, networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from kdtasks.core.settings import Count, Names, Positive, Precision, Section
from kdtasks.learn.networks import Architecture, architectures
from kdtasks.learn.networks.build import HeadParams
from kdtasks.learn.objectives.objective import ClassBalance, LabelLossParams
from kdtasks.learn.training.step import OptimizerParams
from kdtasks.tasks.task import MetricKey


class TrainParams(Section):
    """The training loop that teacher, student and distillation share."""

    batch_size: Count = Field(default=64, description="images a step")
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
        description="fraction of the early exits' gradient that reaches the blocks below: 1 "
        "trains all together; with 0 the last exit is trained as if it were alone",
    )
    class_balance: ClassBalance = Field(
        default="none",
        description="how rare classes are made up for: `weights`: a class weighs one over its "
        "fraction of training labels; `sampling`: every class is shown equally often, in as many "
        "steps; `{cat: 1.0, dog: 3.0}`: your own weights",
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
        identity: all params that a model depends on, as plain data; a checkpoint of other params is
            not gone on from.
        metric: key of what epochs are chosen by.
    """

    train: TrainParams
    precision: Precision
    identity: Mapping[str, Any]
    metric: MetricKey


class StudentParams(Section):
    """The student's network; from scratch and distilled it is the same."""

    model: Annotated[Architecture, architectures] = Field(description="network of the student")
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
        description="folder of networks to start from, one a seed (`0`, `1` …), as in "
        "`models/distill`, and of files that `model` names; without them weights are random. It "
        "must exist, as DVC watches it",
    )
    backbone_first: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0,
        description="fraction of the epochs that train the last exit alone, before all exits are "
        "trained together",
    )
    learning_rate: Positive = Field(default=1e-3, description="highest learning rate")
    epochs: Count | None = Field(
        default=None,
        description="epochs of students without a teacher; null: as many as `distill.epochs`",
    )
