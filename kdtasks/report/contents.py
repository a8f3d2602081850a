"""Read what the other stages wrote (docs/files.md); what is missing carries its reason."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zipfile import BadZipFile

import numpy as np
from pydantic import Field, model_validator

from kdtasks.core.errors import KdTasksError
from kdtasks.core.files import read_json
from kdtasks.core.settings import Fraction, Positive, Section

# A JSON file's content; {"refused": reason} where a stage refused or its file is not there.
Content = dict[str, Any]

# Columns of a CSV file: name to numbers, None where a cell is empty or not finite.
Columns = dict[str, list[float | None]]

# Arrays of an .npz file by name; none where it is empty or not there.
Arrays = dict[str, np.ndarray]


class SelectParams(Section):
    """Limits on the shipped model; the best variant within them is named by the report."""

    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_latency_ms: Positive | None = Field(
        default=None, description="median latency of one picture, in milliseconds"
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

    compress: Content
    calibration: Content
    export: Content
    evaluate: Content
    benchmark: Content
    tradeoff: Columns
    reliability: Columns
    examples: Arrays


class Contents(NamedTuple):
    """Every file that the report reads."""

    dataset: Content
    compare: Content
    teacher: Content
    student: dict[int, Content]
    distill: dict[int, Content]
    teacher_curve: Columns
    student_curves: dict[int, Columns]
    distill_curves: dict[int, Columns]
    variants: dict[str, VariantContents]
    sensitivity: Content
    compared: Arrays


def read_contents(root: Path, seeds: Sequence[int], variants: Sequence[str]) -> Contents:
    """Read the files of the given seeds and variants below the project's folder `root`.

    Raises:
        KdTasksError: a file is there but damaged.
    """
    return Contents(
        dataset=_json(root, "data/prepared/dataset.json"),
        compare=_json(root, "metrics/compare.json"),
        teacher=_json(root, "metrics/teacher.json"),
        student={seed: _json(root, f"metrics/student/{seed}.json") for seed in seeds},
        distill={seed: _json(root, f"metrics/distill/{seed}.json") for seed in seeds},
        teacher_curve=_columns(root, "plots/teacher.csv"),
        student_curves={seed: _columns(root, f"plots/student/{seed}.csv") for seed in seeds},
        distill_curves={seed: _columns(root, f"plots/distill/{seed}.csv") for seed in seeds},
        variants={
            variant: VariantContents(
                compress=_json(root, f"metrics/compress/{variant}.json"),
                calibration=_json(root, f"exits/{variant}/calibration.json"),
                export=_json(root, f"metrics/export/{variant}.json"),
                evaluate=_json(root, f"metrics/evaluate/{variant}.json"),
                benchmark=_json(root, f"metrics/benchmark/{variant}.json"),
                tradeoff=_columns(root, f"exits/{variant}/tradeoff.csv"),
                reliability=_columns(root, f"plots/reliability/{variant}.csv"),
                examples=_arrays(root, f"plots/examples/{variant}.npz"),
            )
            for variant in variants
        },
        sensitivity=_json(root, "metrics/sensitivity.json"),
        compared=_arrays(root, "plots/compare.npz"),
    )


def last(content: Content, *keys: str) -> Any:
    """Follow `keys` into `content`, then take the last of a list; None where a key is missing."""
    value: Any = content
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list):
        return value[-1] if value else None
    return value


def _json(root: Path, name: str) -> Content:
    path = root / name
    if not path.is_file():
        return {"refused": f"{name} is not there; `dvc repro` writes it"}
    try:
        content = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise KdTasksError(
            f"{name} is not valid JSON ({error}); remove it and run `dvc repro`"
        ) from None
    if not isinstance(content, dict):
        raise KdTasksError(
            f"{name} holds {type(content).__name__}, a mapping was expected; "
            "remove it and run `dvc repro`"
        )
    return content


def _columns(root: Path, name: str) -> Columns:
    path = root / name
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return {}
    return {column: [_number(row[column], name) for row in rows] for column in rows[0] if column}


def _arrays(root: Path, name: str) -> Arrays:
    path = root / name
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise KdTasksError(f"{name} is damaged ({error}); remove it and run `dvc repro`") from None


def _number(text: str | None, name: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise KdTasksError(
            f"{name} holds {text!r} where a number was expected; remove it and run `dvc repro`"
        ) from None
    return number if math.isfinite(number) else None
