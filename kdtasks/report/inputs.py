"""Read what the other stages wrote (docs/files.md); what is missing carries its reason."""

import csv
import hashlib
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
from kdtasks.core.records.benchmark import Benchmark
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed, Exported, Sensitivity
from kdtasks.core.records.data import Dataset, Labels, Targets
from kdtasks.core.records.evaluate import Comparison, Evaluation
from kdtasks.core.records.label_errors import LabelErrors
from kdtasks.core.records.prospect import Prospect
from kdtasks.core.records.training import Training
from kdtasks.core.settings import Fraction, LatencyStatistic, Positive, Section
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.manifest import Manifest
from kdtasks.tasks.task import MetricKey

R = TypeVar("R", bound=Record)
P = TypeVar("P", bound=Part)

# Rows of a CSV file: column to number, None where a cell is empty or not finite.
Rows = list[dict[str, float | None]]

# Arrays of an .npz file by name; none where it is empty or not there.
Arrays = dict[str, np.ndarray]


class SelectParams(Section):
    """Limits on the shipped model; the best variant within them is named by the report."""

    max_size_kb: Positive | None = Field(default=None, description="file size in kB (1,000 bytes)")
    max_latency_ms: Positive | None = Field(
        default=None, description="latency of one image, in milliseconds"
    )
    latency_statistic: LatencyStatistic = "mean"
    device: str | None = Field(
        default=None,
        description="whose latency counts for this choice, for `search`, `gate` and the report: "
        "one of `benchmark.devices`, which may be an Ethos-U; null: this machine's",
    )
    max_accuracy_drop: Fraction | None = Field(
        default=0.01,
        description="validation accuracy, or what `evaluate.metric` names, that may be lost "
        "against the uncompressed student, as a fraction",
    )
    max_agreement_drop: Fraction | None = Field(
        default=None,
        description="the same of the agreement with the teacher, where no validation image has a "
        "label (`data.source`: `unlabelled_folder`)",
    )
    objective: Literal["size", "latency", "size_and_latency", "accuracy"] = Field(
        default="size",
        description="what is made best among the variants within the limits; `size_and_latency`: "
        "the least bytes × milliseconds, so that twice the size has to be twice as fast",
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> "SelectParams":
        limits = {self.max_accuracy_drop, self.max_agreement_drop}
        if self.objective == "size" and limits == {None}:
            raise ValueError("objective size needs max_accuracy_drop, or the smallest always wins")
        return self


class ReportSettings(NamedTuple):
    """What the report needs of params.

    Attributes:
        metric: `evaluate.metric`.
        is_balanced: whether training makes up for rare classes.
        notes: pass to how to read the metrics of variants with it.
        mask_values: class name to what stands for it in masks; empty for classification.
        teacher_is_trained: whether it was trained here, on all labels of the training split.
        teacher_has_weight: whether distillation gives its answers any where there are labels.
        tuned_trials: in which settings of the student alone, and as many in which those of the
            distilled one, were chosen; None where they were not tuned.
        params: all params as plain data, shown at the end of the page.
    """

    recipe: str
    task: str
    metric: MetricKey | None
    is_balanced: bool
    seeds: tuple[int, ...]
    variants: tuple[str, ...]
    exits: tuple[str, ...]
    confidence: float
    select: SelectParams
    notes: Mapping[str, str]
    mask_values: Mapping[str, Any]
    teacher_is_trained: bool
    teacher_has_weight: bool
    tuned_trials: int | None
    params: Mapping[str, Any]


class VariantInputs(NamedTuple):
    """The files of one variant, and the hash of its test scores, hex."""

    compress: Compressed | Refusal
    calibration: Calibration | Refusal
    export: Exported | Refusal
    evaluate: Evaluation | Refusal
    benchmark: Benchmark | Refusal
    tradeoff: Rows
    leaving: Arrays
    reliability: Rows
    examples: Arrays
    scores_sha256: str

    @property
    def refused(self) -> str | None:
        """Why there is no model, or no bundle; None where there is one."""
        records = (self.compress, self.calibration, self.export, self.evaluate)
        return next((file.refused for file in records if isinstance(file, Refusal)), None)


class ReportInputs(NamedTuple):
    """Every file that the report reads.

    Attributes:
        unsure: images without a label that the teacher is least sure of.
        suspected: images whose labels look wrong, in the order of `label_errors.shown`.
        trainings, curves: of `teacher`, `student` and `distill` by seed; the teacher's under None.
        published: manifest of the bundle in `models/published`; None without one.
        dataset_sha256, params_sha256: hash of the description of the dataset, and of the params'
            file, hex.
        contact_sheet: file of the augmented views; it need not be there.
    """

    dataset: Dataset | Refusal
    labels: Labels | Refusal
    targets: Targets | Refusal
    prospect: Prospect | Refusal
    compare: Comparison | Refusal
    label_errors: LabelErrors | Refusal
    trainings: dict[str, dict[int | None, Training | Refusal]]
    curves: dict[str, dict[int | None, Rows]]
    variants: dict[str, VariantInputs]
    sensitivity: Sensitivity | Refusal
    compared: Arrays
    unsure: Arrays
    suspected: Arrays
    contact_sheet: Path
    published: Manifest | None
    dataset_sha256: str
    params_sha256: str


def read_inputs(paths: ProjectPaths, seeds: Sequence[int], variants: Sequence[str]) -> ReportInputs:
    """Read the files of the given seeds and variants of a project.

    Raises:
        KdTasksError: a file is there but damaged.
    """
    trained = {"teacher": [None], "student": seeds, "distill": seeds}
    return ReportInputs(
        dataset=_record(Dataset, paths.dataset),
        labels=_record(Labels, paths.metrics("labels")),
        targets=_record(Targets, paths.targets / "targets.json"),
        prospect=_record(Prospect, paths.metrics("prospect")),
        compare=_record(Comparison, paths.metrics("compare")),
        label_errors=_record(LabelErrors, paths.label_errors),
        trainings={
            name: {seed: _record(Training, paths.metrics(name, seed)) for seed in keys}
            for name, keys in trained.items()
        },
        curves={
            name: {seed: _rows(paths.plot(name, seed)) for seed in keys}
            for name, keys in trained.items()
        },
        variants={
            variant: VariantInputs(
                compress=_record(Compressed, paths.metrics("compress", variant)),
                calibration=_record(Calibration, paths.calibration(variant)),
                export=_record(Exported, paths.metrics("export", variant)),
                evaluate=_record(Evaluation, paths.metrics("evaluate", variant)),
                benchmark=_record(Benchmark, paths.metrics("benchmark", variant)),
                tradeoff=_rows(paths.tradeoff(variant)),
                leaving=_arrays(paths.leaving(variant)),
                reliability=_rows(paths.reliability(variant)),
                examples=_arrays(paths.examples(variant)),
                scores_sha256=_sha256(paths.metrics("evaluate", variant)),
            )
            for variant in variants
        },
        sensitivity=_record(Sensitivity, paths.metrics("sensitivity")),
        compared=_arrays(paths.compared),
        unsure=_arrays(paths.unsure),
        suspected=_arrays(paths.suspected),
        contact_sheet=paths.contact_sheet,
        published=read_manifest(paths.published) if any(paths.published.glob("*.json")) else None,
        dataset_sha256=_sha256(paths.dataset),
        params_sha256=_sha256(paths.params),
    )


def known(record: P | Refusal) -> P | None:
    """The record; None where a refusal stands in its place."""
    return None if isinstance(record, Refusal) else record


def complete(rows: Rows, *columns: str) -> list[list[float]]:
    """Give the values of some columns, in the rows that have all of them."""
    found = ([row.get(column) for column in columns] for row in rows)
    known_values = ([value for value in values if value is not None] for values in found)
    return [values for values in known_values if len(values) == len(columns)]


def _record(kind: type[R], path: Path) -> R | Refusal:
    if path.is_file():
        return kind.read_or_refusal(path)
    return Refusal(refused=f"{path} not found; `dvc repro` writes it")


def _rows(path: Path) -> Rows:
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                {column: _number(text) for column, text in row.items() if column}
                for row in csv.DictReader(file)
            ]
    except ValueError as error:
        raise _damaged(path, error) from None


def _number(text: str | None) -> float | None:
    number = float(text) if text else math.nan
    return number if math.isfinite(number) else None


def _arrays(path: Path) -> Arrays:
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> KdTasksError:
    return KdTasksError(f"{path} is damaged ({error}); remove it and run `dvc repro`")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
