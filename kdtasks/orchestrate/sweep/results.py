"""The figures of one point: read where it ran, kept beside the clones."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from kdtasks.core.errors import StageError
from kdtasks.core.files import read_json, write_json
from kdtasks.params import Params
from kdtasks.report.contents import last, read_contents
from kdtasks.tasks.registry import task_of


class Result(Protocol):
    """What is read and kept of a point; a NamedTuple of what JSON can hold."""

    @classmethod
    def read(cls, folder: Path, params: Params) -> Self:
        """Read it in the folder in which the point ran."""

    def _asdict(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=Result)


class PointResult(NamedTuple):
    """Accuracies of a point by seed, of masks the mean IoU, 0 … 1."""

    student: dict[int, float]  # from scratch, test split
    distilled: dict[int, float]  # the same seeds, test split
    validation: dict[int, float]  # distilled, validation split, last exit
    teacher: float  # test split
    rows: int  # of the test split
    bootstrap: tuple[float, float]  # interval of the mean gain over test pictures

    @classmethod
    def read(cls, folder: Path, params: Params) -> Self:
        """Read the figures from the metrics in a project's folder (docs/files.md).

        Raises:
            KdTasksError: a file is missing or damaged.
        """
        contents = read_contents(folder, params.seeds, ())
        metric = task_of(params.data.task).metric.key
        compare = contents.compare
        if "refused" in compare:
            raise StageError(f"nothing to compare: {compare['refused']}")
        try:
            by_seed = {key: compare[key]["by_seed"] for key in ("student", "distill")}
            return cls(
                {seed: float(by_seed["student"][str(seed)]) for seed in params.seeds},
                {seed: float(by_seed["distill"][str(seed)]) for seed in params.seeds},
                {
                    seed: float(last(contents.distill[seed], "validation", metric))
                    for seed in params.seeds
                },
                float(compare["teacher"][metric]),
                int(compare["rows"]),
                _ends(compare["gain"]["bootstrap_interval"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StageError(
                "metrics/compare.json or metrics/distill is not as docs/files.md has it "
                f"({type(error).__name__}: {error})"
            ) from None


def keep_result(path: Path, inputs: str, result: Result) -> None:
    """Write a result down, with the hash of all that it depends on."""
    write_json(path, {"inputs": inputs, "result": result._asdict()})


def kept_result(path: Path, inputs: str, kind: type[R]) -> R | None:
    """A result that was written down for these inputs; none if there is none."""
    from pydantic import TypeAdapter

    if not path.is_file():
        return None
    try:
        content = read_json(path)
        known = content["inputs"]
        found = TypeAdapter(kind).validate_python(content["result"])
    except (ValueError, KeyError, TypeError):
        return None  # damaged, or of another version of this code
    return found if known == inputs else None


def _ends(interval: Any) -> tuple[float, float]:
    low, high = interval
    return float(low), float(high)
