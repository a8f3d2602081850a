"""Params of what is evaluated and timed."""

from typing import Annotated

from pydantic import Field

from kdtasks.core.accelerators import Accelerator
from kdtasks.core.settings import Count, Index, OpenFraction, Section
from kdtasks.tasks.task import MetricKey


class EvaluateParams(Section):
    """What models are compared by, and the intervals on the test split."""

    metric: MetricKey | None = Field(
        default=None,
        description="what epochs, seeds, variants and new models are chosen by: `accuracy`; "
        "`balanced_accuracy`, the classes' mean recall, or `macro_f1`, their mean F1, for rare "
        "classes; `mean_iou` for masks. null: `accuracy`, of masks `mean_iou`. Early exits are "
        "always calibrated by accuracy",
    )
    confidence: OpenFraction = Field(default=0.95, description="level of every interval")
    bootstrap_samples: Count = Field(default=2000, description="resamples of every bootstrap")
    seed: Index = Field(default=0, description="seed of the resampling")


class BenchmarkParams(Section):
    """How latency is measured on this machine, on images of the validation split."""

    threads: Count = Field(default=1, description="threads of the LiteRT interpreter")
    images: Count = Field(
        default=300, description="validation images that are timed, drawn at random"
    )
    rounds: Count = Field(
        default=5, description="how often each is timed; the median of its times counts"
    )
    warmup: Index = Field(default=30, description="predictions before that, not timed")
    targets: Annotated[tuple[Accelerator, ...], Field(strict=False)] = Field(
        default=(),
        description="accelerators: what each takes of every variant, on paper, stands in the "
        "report. Ethos-U needs `pip install 'kdtasks[ethos]'`",
    )
