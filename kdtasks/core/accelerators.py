"""Accelerators, and what they take of a bundle on paper."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

# Those whose time Arm's compiler Vela estimates.
EthosU = Literal["ethos-u55-128", "ethos-u55-256", "ethos-u65-256"]
ETHOS_U: tuple[EthosU, ...] = get_args(EthosU)
Accelerator = Literal[EthosU, "edgetpu", "nnapi"]

# A part of records (kdtasks.core.records), without pydantic, which devices lack.
_PART = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


@dataclass(frozen=True)
class Fallback:
    """An operator that an accelerator leaves to the processor.

    Attributes:
        operator: name of LiteRT.
        tensor: what it makes.
        reason: why.
    """

    __pydantic_config__: ClassVar = _PART

    operator: str
    tensor: str
    reason: str


@dataclass(frozen=True)
class TargetSegment:
    """What an accelerator takes of a segment.

    Attributes:
        accelerated: operators that it takes.
        left: those that fall back to the processor.
        fallbacks: why.
        cycles: by Vela, of the accelerator alone, for one image; None where it takes nothing or a
            table says so, and so what follows up to `dram`.
        milliseconds: the same at the clock of `system`.
        sram, flash, dram: bytes used of each memory.
        system: Vela's configuration of clock and memories, its default for the accelerator.
    """

    __pydantic_config__: ClassVar = _PART

    accelerated: int
    left: int
    fallbacks: tuple[Fallback, ...]
    cycles: int | None = None
    milliseconds: float | None = None
    sram: int | None = None
    flash: int | None = None
    dram: int | None = None
    system: str | None = None


@dataclass(frozen=True)
class TargetFit:
    """What an accelerator takes of a bundle.

    Attributes:
        source: who says so.
        segments: by name.
    """

    __pydantic_config__: ClassVar = _PART

    source: str
    segments: dict[str, TargetSegment]
