"""What `evaluate` writes of a variant, for either task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kdtasks.core.files import atomic_file, write_text
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.core.settings import Count, Index, OpenFraction, Section
from kdtasks.evaluate.metrics import ReliabilityBin

Arrays = Mapping[str, NDArray[Any]]


RELIABILITY = "exit,confidence,accuracy,rows"


class Evaluated(NamedTuple):
    """What the test split says of a bundle (docs/files.md).

    Attributes:
        scores: the numbers.
        sentence: the most important ones.
        predictions: arrays of every row's answer.
        examples: arrays of some images, for the page.
        reliability: of each exit; none of masks.
    """

    scores: Evaluation
    sentence: str
    predictions: Arrays
    examples: Arrays
    reliability: Sequence[Sequence[ReliabilityBin]] = ()


def write_reliability(path: Path, exits: Sequence[Sequence[ReliabilityBin]]) -> None:
    """Write `plots/reliability/<variant>.csv`: a line a bin of confidence; the header for none."""
    lines = [
        f"{index},{found.confidence!r},{found.accuracy!r},{found.rows}\n"
        for index, bins in enumerate(exits)
        for found in bins
    ]
    write_text(path, f"{RELIABILITY}\n" + "".join(lines))


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays as `.npz`, all of it or nothing; an empty file where there are none."""
    with atomic_file(path) as partial:
        np.savez(partial, **arrays)  # type: ignore[arg-type]


class EvaluateParams(Section):
    """Intervals on the test split."""

    confidence: OpenFraction = Field(default=0.95, description="level of every interval")
    bootstrap_samples: Count = Field(default=2000, description="resamples of every bootstrap")
    seed: Index = Field(default=0, description="seed of the resampling")


class BenchmarkParams(Section):
    """How latency is measured on this machine."""

    threads: Count = Field(default=1, description="threads of the LiteRT interpreter")
    runs: Count = Field(default=300, description="single-picture predictions that are timed")
    warmup: Index = Field(default=30, description="predictions before that, not timed")
