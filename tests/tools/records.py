"""Records as the stages would write them, of which a test needs a few values only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdtasks.core.latency import STATISTICS, Latency, Statistic
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.core.records.compress import Compressed, ExitParity, Parity
from kdtasks.core.records.evaluate import Comparison, Gain, ModelScores, SeedScores
from kdtasks.core.records.report import (
    CandidateSummary,
    Limits,
    ModelSummary,
    Selection,
    Statistics,
    VariantSummary,
)
from kdtasks.core.records.training import ExitScores, TrainedScores, Training
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.params import Params
from kdtasks.tasks.task import MetricKey


def training(*accuracy: float, macs: tuple[int, ...] = (500, 1000), **scores: Any) -> Training:
    """A training with the accuracy of every exit; further `scores` are by other metrics."""
    return Training(
        validation=TrainedScores(accuracy=accuracy, loss=0.1, **scores),
        parameters=10,
        macs=macs,
        epochs=2,
        seed=0,
    )


def judged_by(params: Params, metric: MetricKey) -> Params:
    """Params whose models are compared by a metric."""
    evaluate = params.evaluate.model_copy(update={"metric": metric})
    return params.model_copy(update={"evaluate": evaluate})


def parity(*exits: tuple[float, float], rows: int = 300) -> Parity:
    """How far a file is from its network: error and fraction of changed answers of every exit."""
    return Parity(
        rows=rows,
        tolerance=0.25,
        exits=tuple(
            ExitParity(
                error=error,
                changed=changed,
                interval=wilson_interval(round(changed * rows), rows, 0.95),
            )
            for error, changed in exits
        ),
    )


def compressed(*accuracy: float, **values: Any) -> Compressed:
    """A variant with the accuracy of every exit."""
    found: dict[str, Any] = {
        "variant": "int8",
        "base_seed": 0,
        "parameters": 10,
        "nonzero_parameters": 10,
        "macs": (500, 1000),
        "bytes": 2000,
        "gzip_bytes": 1000,
        "tensors": {},
        "sparsity": 0.0,
        "distinct_weights": 9,
        "parity": parity((0.0, 0.0)),
        "validation": ExitScores(accuracy=accuracy),
    }
    return Compressed(**{**found, **values})


def comparison(
    student: Mapping[int, float],
    distill: Mapping[int, float],
    *,
    bootstrap: tuple[float, float] | None = (-0.01, 0.03),
    **teacher: Any,
) -> Comparison:
    """A comparison of scores by seed; `teacher` is its accuracy, and of masks its mean IoU."""

    def summary(by_seed: Mapping[int, float]) -> SeedScores:
        mean = sum(by_seed.values()) / len(by_seed)
        texts = {str(seed): score for seed, score in by_seed.items()}
        return SeedScores(by_seed=texts, mean=mean, interval=None)

    gains = {str(seed): distill[seed] - student[seed] for seed in student}
    return Comparison(
        rows=360,
        teacher=ModelScores(**{"accuracy": 0.97, **teacher}, interval=(0.9, 1.0)),
        student=summary(student),
        distill=summary(distill),
        gain=Gain(
            judged=len(gains),
            mean=sum(gains.values()) / len(gains),
            interval=None,
            bootstrap_interval=bootstrap,
            by_seed=gains,
            verdict="inconclusive",
            seeds_needed=None,
        ),
        teacher_lead=None,
        teacher_worse_than_student=False,
    )


def latency(milliseconds: float, **changed: float) -> Latency:
    """Five times the same, but for those that are changed."""
    same: dict[str, float] = dict.fromkeys(STATISTICS, milliseconds)
    return Latency(**{**same, **changed})


def selection(
    chosen: str | None,
    *,
    sentence: str = "",
    latency_ms: Latency | None = None,
    statistic: Statistic = "mean",
) -> Selection:
    """The choice of a variant."""
    candidate = CandidateSummary(
        refused=None,
        accuracy=0.9,
        accuracy_drop=0.0,
        bytes=2000,
        latency_ms=latency_ms,
        macs=500.0,
        within=True,
        reasons=(),
    )
    return Selection(
        chosen=chosen,
        objective="size",
        limits=Limits(
            max_size_kb=None,
            max_latency_ms=None,
            latency_statistic=statistic,
            max_accuracy_drop=0.01,
        ),
        candidates={chosen: candidate} if chosen else {},
        pareto=(),
        nearest=None,
        sentence=sentence,
        headline=sentence,
    )


def write_selection(project: Path, chosen: str | None, sentence: str) -> None:
    """Write the report's choice."""
    selection(chosen, sentence=sentence).write(ProjectPaths(project).selection)


MISSING = Refusal(refused="missing")


def model_summary(**scores: Any) -> ModelSummary:
    """Test scores of a model whose training says nothing."""
    untold = dict.fromkeys(("parameters", "macs", "epochs", "validation_accuracy"))
    return ModelSummary(**{**untold, **scores})


def variant_summary(**values: Any) -> VariantSummary:
    """A variant of which nothing was measured but `values`."""
    untold = dict.fromkeys(VariantSummary.model_fields)
    nothing = {"macs": (), "tradeoff": (), "reliability": ()}
    return VariantSummary(
        **{**untold, "test": MISSING, "calibration": MISSING, **nothing, **values}
    )


def statistics(**values: Any) -> Statistics:
    """Statistics of a project in which nothing has run but what `values` tell."""
    nothing: dict[str, Any] = {
        "recipe": "mnist-5k",
        "task": "classification",
        "seeds": (0, 1, 2),
        "confidence": 0.95,
        "rows": None,
        "data": MISSING,
        **dict.fromkeys(("teacher", "student", "distill"), model_summary(refused="missing")),
        "start": None,
        "gain": MISSING,
        "teacher_worse_than_student": False,
        "labels": MISSING,
        "unlabelled": None,
        "prospect": MISSING,
        "arms": {},
        "training": {},
        "exit_names": ("last",),
        "variants": {},
        "sensitivity": MISSING,
        "versions": {},
    }
    return Statistics(**{**nothing, **values})


def gain_of(mean: float, interval: tuple[float, float] | None, verdict: str, **values: Any) -> Gain:
    """A gain over seeds."""
    return Gain(
        judged=values.get("judged", 3),
        mean=mean,
        interval=interval,
        bootstrap_interval=None,
        by_seed={},
        verdict=verdict,
        seeds_needed=values.get("seeds_needed"),
    )
