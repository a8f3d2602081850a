"""Params of what is evaluated and timed."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kdtasks.core.accelerators import Accelerator
from kdtasks.core.settings import Count, Index, OpenFraction, Section
from kdtasks.edge.benchmark import Timing
from kdtasks.evaluate.devices.ssh import check_address
from kdtasks.tasks.task import MetricKey

Device = Annotated[str, AfterValidator(check_address)]
CorruptionName = Literal[
    "gaussian_noise", "gaussian_blur", "brightness", "contrast", "jpeg", "pixelate"
]
Severity = Annotated[int, Field(ge=1, le=5)]


def _once(values: tuple[object, ...]) -> tuple[object, ...]:
    if len(set(values)) != len(values):
        raise ValueError(f"got {list(values)}, which holds a value twice; name each once")
    return values


class SlicesParams(Section):
    """What models are scored on besides the plain test split."""

    corruptions: Annotated[
        tuple[CorruptionName, ...], Field(strict=False), AfterValidator(_once)
    ] = Field(
        default=(),
        description="damaged copies of the test split, by the formulas of ImageNet-C: "
        "`gaussian_noise`, `gaussian_blur`, `brightness`, `contrast`, `jpeg`, `pixelate`; their "
        "strength is that of CIFAR-10-C for images whose shorter side is below 85 pixels, else "
        "that of ImageNet-C. Masks stay as they are",
    )
    severities: Annotated[
        tuple[Severity, ...], Field(strict=False, min_length=1), AfterValidator(_once)
    ] = Field(default=(1, 3, 5), description="how bad each gets, 1 … 5")


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
    seed: Index = Field(
        default=0, description="seed of the resampling, and of the noise of `slices`"
    )
    slices: SlicesParams = Field(
        default=SlicesParams(),
        description="where else models are scored: does compression hurt more where images are "
        "bad?",
    )


class BenchmarkParams(Section):
    """How latency is measured on this machine and on devices, on images of the validation split."""

    threads: Count = Field(default=1, description="threads of the LiteRT interpreter")
    images: Count = Field(
        default=300, description="validation images that are timed, drawn at random"
    )
    rounds: Count = Field(
        default=5, description="how often each is timed; the median of its times counts"
    )
    warmup: Index = Field(default=30, description="predictions before that, not timed")
    devices: Annotated[tuple[Device, ...], Field(strict=False)] = Field(
        default=(),
        description="where every variant is timed besides: `ssh://[user@]host[:port]`, which "
        "OpenSSH reaches without a question; numpy and LiteRT are installed there, in a folder of "
        "their own, unless its `python3` has them. `select.device` names the one that counts",
    )
    targets: Annotated[tuple[Accelerator, ...], Field(strict=False)] = Field(
        default=(),
        description="accelerators: what each takes of every variant, on paper, stands in the "
        "report. Ethos-U needs `pip install 'kdtasks[ethos]'`",
    )

    @property
    def timing(self) -> Timing:
        """How a bundle is timed."""
        return Timing(self.threads, self.rounds, self.warmup)
