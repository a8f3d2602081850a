"""Params of what is evaluated and timed."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kdtasks.core.accelerators import ETHOS_U, Accelerator
from kdtasks.core.settings import Count, Index, OpenFraction, Section
from kdtasks.edge.benchmark import Timing
from kdtasks.evaluate.devices.ssh import check_address
from kdtasks.tasks.task import MetricKey

CorruptionName = Literal[
    "gaussian_noise", "gaussian_blur", "brightness", "contrast", "jpeg", "pixelate"
]
Severity = Annotated[int, Field(ge=1, le=5)]


def _device(name: str) -> str:
    return name if name in ETHOS_U else check_address(name)


Device = Annotated[str, AfterValidator(_device)]


def _folder_name(name: str) -> str:
    # a part of the path of what is made of it; other slices have a space or `=` in their names
    if name == "plain" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(
            f"got the name {name!r}; letters, digits, - and _ are expected, and not plain, which "
            "is the test split as it is"
        )
    return name


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
        description="damaged copies of the test split, by the formulas of ImageNet-C, as strong "
        "as in CIFAR-10-C for images whose shorter side is below 85 pixels. Masks stay as they "
        "are",
    )
    severities: Annotated[
        tuple[Severity, ...], Field(strict=False, min_length=1), AfterValidator(_once)
    ] = Field(default=(1, 3, 5), description="how bad each gets, 1 … 5")
    folders: dict[Annotated[str, AfterValidator(_folder_name)], str] = Field(
        default={},
        description="further folders of labelled test images, such as `{night: ../night}`, each "
        "laid out as `data.path` or with one folder per class. Classes may be missing; images "
        "that models are trained or chosen by are left out. They must exist, as DVC watches them",
    )


class EvaluateParams(Section):
    """What models are compared by, and the intervals on the test split."""

    metric: MetricKey | None = Field(
        default=None,
        description="score that chooses epochs, seeds, variants and new models: `accuracy`; "
        "`balanced_accuracy` (mean recall of the classes) or `macro_f1` (their mean F1) for rare "
        "classes; `mean_iou` for masks. null: `accuracy`, of masks `mean_iou`",
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
        description="devices that time every variant as well: `ssh://[user@]host[:port]`, with "
        "numpy and LiteRT installed there if its `python3` lacks them, or an Ethos-U such as "
        "`ethos-u55-128`, by Vela's estimate (`pip install 'kdtasks[ethos]'`). `select.device` "
        "names the one that counts",
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
