"""The metrics of one point: read where it ran, kept beside the clones."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, Self, TypeVar

from pydantic import SerializeAsAny

from kdtasks.core.errors import KdTasksError, Refused
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.processor import read_processor
from kdtasks.core.records import Part, Record, Refusal
from kdtasks.core.records.data import NO_LABELS, Labels
from kdtasks.core.records.evaluate import Comparison
from kdtasks.core.records.training import Training
from kdtasks.params import Params


class Result(Part):
    """What is read and kept of a point."""

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, params: Params) -> Self:
        """Read it in the folder in which the point ran."""


R = TypeVar("R", bound=Result)


class PointResult(Result):
    """Scores of a point by seed, of the metric that models are compared by, 0 … 1."""

    student: dict[int, float]  # from scratch, test split
    distilled: dict[int, float]  # the same seeds, test split
    validation: dict[int, float]  # distilled, validation split, last exit
    teacher: float | None  # test split; None where it was not tested
    rows: int  # of the test split
    bootstrap: tuple[float, float] | None  # of the mean gain over test images; None of too few
    labels: int  # that students see, of masks source images
    # of the teacher's score less the students' mean, paired over test images
    teacher_lead: tuple[float, float] | None = None
    processors: tuple[str, ...] = ()  # kinds that its stages may have run on

    @classmethod
    def read(cls, folder: Path, params: Params) -> Self:
        """Read them from the files in a project's folder (docs/files.md); raises as `of`."""
        return cls.of(folder, params.seeds, params.metric.key)

    @classmethod
    def of(cls, folder: Path, seeds: Sequence[int], metric: str) -> Self:
        """Read the results of some seeds, where the project's params need not be understood.

        Raises:
            KdTasksError: a file is missing or damaged, or no student is taught by labels alone.
        """
        paths = ProjectPaths(folder)
        compare = Comparison.read(paths.metrics("compare"))
        if compare.student is None or isinstance(compare.gain, Refusal):
            raise Refused(NO_LABELS)
        trained = {seed: Training.read(paths.metrics("distill", seed)) for seed in seeds}
        return cls(
            student={int(seed): score for seed, score in compare.student.by_seed.items()},
            distilled={int(seed): score for seed, score in compare.distill.by_seed.items()},
            validation={seed: run.validation.score(metric) for seed, run in trained.items()},
            teacher=compare.teacher.score(metric) if compare.teacher else None,
            rows=compare.rows,
            bootstrap=compare.gain.bootstrap_interval,
            labels=Labels.read(paths.metrics("labels")).train,
            teacher_lead=compare.teacher_lead,
            processors=(read_processor().kind,),
        )


class KeptResult(Record, Generic[R]):
    """A result, and the hash of all that it depends on."""

    inputs: str
    result: SerializeAsAny[R]


def keep_result(path: Path, inputs: str, result: Result) -> None:
    """Write a result down, with the hash of all that it depends on."""
    KeptResult(inputs=inputs, result=result).write(path)


def kept_result(path: Path, inputs: str, kind: type[R]) -> R | None:
    """A result that was written down for these inputs; none if there is none."""
    try:
        kept = KeptResult[kind].read(path)  # type: ignore[valid-type]
    except KdTasksError:
        return None  # also where it is damaged, or of another version of this code
    return kept.result if kept.inputs == inputs else None
