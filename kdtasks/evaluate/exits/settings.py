"""How early exits are calibrated."""

from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.settings import Fraction, Index, OpenFraction, Section

Risk = Literal["consistency", "accuracy_gap"]


class ExitsParams(Section):
    """How thresholds of early exits are chosen on the calibration split."""

    mode: Literal["drop", "cost", "guarantee"] = Field(
        default="drop",
        description="`drop`: least compute within `max_accuracy_drop`; `cost`: best accuracy "
        "within `max_cost`; `guarantee`: least compute with `risk` certified to be at most "
        "`epsilon` (docs/exits.md)",
    )
    max_accuracy_drop: Fraction = Field(
        default=0.01,
        description="accuracy that may be lost to early exits, as a fraction (0.01 = 1 %)",
    )
    max_cost: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.5, description="mean compute allowed, as a fraction of the whole network's MACs"
    )
    risk: Risk = Field(
        default="consistency",
        description="what `guarantee` bounds: `consistency`: fraction of answers that differ from "
        "the last exit's; `accuracy_gap`: accuracy lost against the last exit",
    )
    epsilon: OpenFraction = Field(
        default=0.02,
        description="bound of `guarantee` on the mean risk, as a fraction (0.02 = 2 %)",
    )
    delta: OpenFraction = Field(
        default=0.1, description="probability with which `guarantee` may break its bound"
    )
    seed: Index = Field(
        default=0, description="seed of the halves that `guarantee` splits the rows in"
    )
    score: Literal["max_probability", "margin", "entropy", "energy"] = Field(
        default="max_probability", description="confidence of an exit, after temperature scaling"
    )
    grid: Annotated[int, Field(ge=2, le=1001)] = Field(
        default=201, description="thresholds tried for each exit"
    )
