"""One trial: its params, and the figures that its limits are held against."""

from pathlib import Path
from typing import Any, NamedTuple, Self

from kdtasks.atomic import read_json
from kdtasks.compression.timing import latency_ms
from kdtasks.errors import StageError
from kdtasks.params import Params
from kdtasks.params.compression import TargetParams
from kdtasks.params.load import parse_params
from kdtasks.report.selection import Excess, Measured, over_limits
from kdtasks.report.wording import kilobytes, milliseconds, percent, points
from kdtasks.sweep.point import NAME_LENGTH, Point, readable_name, short_digest, with_settings
from kdtasks.target.ladder import Rung

# What a compressed file does not depend on, so that other limits are no other trial.
_WITHOUT_INFLUENCE: dict[str, Any] = {
    "compress": {"target"},
    **dict.fromkeys(
        ("exits", "export", "evaluate", "benchmark", "select", "store", "gate", "drift"), True
    ),
}


class TrialResult(NamedTuple):
    """Figures of a trial: of the validation split and of the file, to the last exit.

    For masks the accuracy is their mean IoU: without a single object most pixels may be right.
    All are None but `refused` where the variant could not be built.
    """

    refused: str | None = None
    accuracy: float | None = None
    accuracy_drop: float | None = None  # against the float32 student that it was made of
    bytes: int | None = None  # at most, with thresholds and class names inside
    gzip_bytes: int | None = None
    latency_ms: float | None = None  # median of one picture through all exits
    macs: float | None = None  # as a share of the student's
    seconds: float | None = None  # that it took, with the start of its processes
    cached: bool = False  # whether its file came out of DVC's cache

    @classmethod
    def read(cls, folder: Path, params: Params) -> Self:
        """Read the figures where the trial ran, and time its file.

        Raises:
            StageError: a file is not as docs/files.md has it.
        """
        (variant,) = params.compress.variants
        try:
            compress = read_json(folder / f"metrics/compress/{variant}.json")
            if "refused" in compress:
                return cls(refused=str(compress["refused"]))
            student = read_json(folder / f"metrics/distill/{compress['base_seed']}.json")
            accuracy = _quality(compress["validation"])
            return cls(
                accuracy=accuracy,
                accuracy_drop=_quality(student["validation"]) - accuracy,
                bytes=compress["bytes"],
                gzip_bytes=compress["gzip_bytes"],
                latency_ms=latency_ms(
                    (folder / "models/compress" / variant / "model.tflite").read_bytes()
                ),
                macs=compress["macs"][-1] / student["macs"][-1],
            )
        except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
            raise StageError(
                f"the figures of {variant} are not as docs/files.md has them "
                f"({type(error).__name__}: {error})"
            ) from None


def _quality(validation: dict[str, Any]) -> float:
    """What a variant is judged by: mean IoU where it tells masks, else accuracy; last exit."""
    return float(validation.get("mean_iou", validation["accuracy"])[-1])


def make_trial(text: str, rung: Rung) -> Point:
    """Put a rung into the text of a params file.

    Raises:
        ParamsError: what comes out is not valid.
    """
    settings = {"compress.variants": [rung.variant], **rung.settings}
    changed, content = with_settings(text, settings)
    params = parse_params(content, source=f"trial {rung.label}")
    digest = short_digest(params.model_dump(mode="json", exclude=_WITHOUT_INFLUENCE))
    name = readable_name(f"target-{rung.label}")[:NAME_LENGTH]
    return Point(rung.label, settings, params, changed, f"{name}-{digest}")


def broken_limits(result: TrialResult, limits: TargetParams) -> list[Excess]:
    """The limits that a trial breaks, each with the factor by which it does and in words."""
    if result.refused:
        return [Excess("refused", float("inf"), f"refused: {result.refused}")]
    size, gzipped = (
        None if count is None else count / 1000 for count in (result.bytes, result.gzip_bytes)
    )

    def in_kilobytes(value: float) -> str:
        return kilobytes(value * 1000)

    measured = [
        Measured("max_size_kb", "size", size, limits.max_size_kb, in_kilobytes),
        Measured("max_gzip_kb", "gzipped size", gzipped, limits.max_gzip_kb, in_kilobytes),
        Measured(
            "max_latency_ms", "latency", result.latency_ms, limits.max_latency_ms, milliseconds
        ),
        Measured("max_macs", "share of compute", result.macs, limits.max_macs, percent),
        Measured(
            "max_accuracy_drop",
            "drop in validation accuracy",
            result.accuracy_drop,
            limits.max_accuracy_drop,
            lambda value: points(value, signed=False),
        ),
    ]
    return over_limits(measured)


def figures(result: TrialResult) -> dict[str, Any]:
    """What `dvc exp show` lists of a trial, under names that no other metrics have."""
    found = result._asdict()
    del found["cached"]
    for kind in ("", "gzip_"):
        count = found.pop(f"{kind}bytes")
        found[f"{kind or 'size_'}kb"] = None if count is None else count / 1000
    return {name: value for name, value in found.items() if value is not None}
