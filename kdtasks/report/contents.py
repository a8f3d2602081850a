"""Read what the other stages wrote (docs/files.md); what is missing carries its reason."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar
from zipfile import BadZipFile

import numpy as np
from pydantic import Field, model_validator

from kdtasks.core.errors import KdTasksError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Part, Record, Refusal
from kdtasks.core.records.compress import Compressed, Exported, Sensitivity
from kdtasks.core.records.data import Dataset
from kdtasks.core.records.evaluate import Benchmark, Calibration, Comparison, Evaluation
from kdtasks.core.records.training import Training
from kdtasks.core.settings import Fraction, Positive, Section

R = TypeVar("R", bound=Record)
P = TypeVar("P", bound=Part)

# Columns of a CSV file: name to numbers, None where a cell is empty or not finite.
Columns = dict[str, list[float | None]]

# Arrays of an .npz file by name; none where it is empty or not there.
Arrays = dict[str, np.ndarray]


class SelectParams(Section):
    """Limits on the shipped model; the best variant within them is named by the report."""

    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_latency_ms: Positive | None = Field(
        default=None, description="median latency of one image, in milliseconds"
    )
    max_accuracy_drop: Fraction | None = Field(
        default=0.01,
        description="validation accuracy that may be lost against the uncompressed student, as a "
        "share",
    )
    objective: Literal["size", "latency", "accuracy"] = Field(
        default="size", description="what is made best among the variants within the limits"
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> "SelectParams":
        if self.objective == "size" and self.max_accuracy_drop is None:
            raise ValueError("objective size needs max_accuracy_drop, or the smallest always wins")
        return self


class ReportSettings(NamedTuple):
    """What the report needs of params.

    Attributes:
        mask_values: class name to what stands for it in masks; empty for classification.
        params: all params as plain data, shown at the end of the page.
    """

    recipe: str
    task: str
    seeds: tuple[int, ...]
    variants: tuple[str, ...]
    exits: tuple[str, ...]
    teacher_seed: int
    confidence: float
    select: SelectParams
    mask_values: Mapping[str, Any]
    params: Mapping[str, Any]


class VariantContents(NamedTuple):
    """The files of one variant."""

    compress: Compressed | Refusal
    calibration: Calibration | Refusal
    export: Exported | Refusal
    evaluate: Evaluation | Refusal
    benchmark: Benchmark | Refusal
    tradeoff: Columns
    reliability: Columns
    examples: Arrays

    @property
    def refused(self) -> str | None:
        """Why there is no model, or no bundle; None where there is one."""
        records = (self.compress, self.calibration, self.export, self.evaluate)
        return next((file.refused for file in records if isinstance(file, Refusal)), None)


class Contents(NamedTuple):
    """Every file that the report reads."""

    dataset: Dataset | Refusal
    compare: Comparison | Refusal
    teacher: Training | Refusal
    student: dict[int, Training | Refusal]
    distill: dict[int, Training | Refusal]
    teacher_curve: Columns
    student_curves: dict[int, Columns]
    distill_curves: dict[int, Columns]
    variants: dict[str, VariantContents]
    sensitivity: Sensitivity | Refusal
    compared: Arrays


def read_contents(paths: ProjectPaths, seeds: Sequence[int], variants: Sequence[str]) -> Contents:
    """Read the files of the given seeds and variants of a project.

    Raises:
        KdTasksError: a file is there but damaged.
    """
    return Contents(
        dataset=_record(Dataset, paths.dataset),
        compare=_record(Comparison, paths.metrics("compare")),
        teacher=_record(Training, paths.metrics("teacher")),
        student={seed: _record(Training, paths.metrics("student", seed)) for seed in seeds},
        distill={seed: _record(Training, paths.metrics("distill", seed)) for seed in seeds},
        teacher_curve=_columns(paths.plot("teacher")),
        student_curves={seed: _columns(paths.plot("student", seed)) for seed in seeds},
        distill_curves={seed: _columns(paths.plot("distill", seed)) for seed in seeds},
        variants={
            variant: VariantContents(
                compress=_record(Compressed, paths.metrics("compress", variant)),
                calibration=_record(Calibration, paths.calibration(variant)),
                export=_record(Exported, paths.metrics("export", variant)),
                evaluate=_record(Evaluation, paths.metrics("evaluate", variant)),
                benchmark=_record(Benchmark, paths.metrics("benchmark", variant)),
                tradeoff=_columns(paths.tradeoff(variant)),
                reliability=_columns(paths.reliability(variant)),
                examples=_arrays(paths.examples(variant)),
            )
            for variant in variants
        },
        sensitivity=_record(Sensitivity, paths.metrics("sensitivity")),
        compared=_arrays(paths.compared),
    )


def known(record: P | Refusal) -> P | None:
    """The record; None where a refusal stands in its place."""
    return None if isinstance(record, Refusal) else record


def _record(kind: type[R], path: Path) -> R | Refusal:
    if path.is_file():
        return kind.read_or_refusal(path)
    return Refusal(refused=f"{path} is not there; `dvc repro` writes it")


def _columns(path: Path) -> Columns:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return {}
    return {column: [_number(row[column], path) for row in rows] for column in rows[0] if column}


def _arrays(path: Path) -> Arrays:
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise KdTasksError(f"{path} is damaged ({error}); remove it and run `dvc repro`") from None


def _number(text: str | None, path: Path) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise KdTasksError(
            f"{path} holds {text!r} where a number was expected; remove it and run `dvc repro`"
        ) from None
    return number if math.isfinite(number) else None
