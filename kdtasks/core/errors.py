"""Errors that a user can act on: each message says what came, what was expected and the fix."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return a hint at the choice most like `name`, to append to a message; often empty."""
    matches = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.45)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def shortened(text: str, max_length: int = 400) -> str:
    """Put a text on one line, with both ends of a long one: many libraries name the cause last."""
    line = " ".join(text.split())
    return (
        line
        if len(line) <= max_length
        else f"{line[: max_length // 2]} … {line[-(max_length // 2) :]}"
    )


class KdTasksError(Exception):
    """Base of every error that is the input's or the environment's fault, not a bug."""


@contextmanager
def explained(
    kind: type[KdTasksError], problem: str, advice: str, *causes: type[Exception]
) -> Iterator[None]:
    """Turn what a library raises into an error of ours: `problem (reason); advice`.

    One that is of `kind` already stays as it is.

    Args:
        kind: of the error that is raised.
        problem: what is wrong, such as `x.tflite cannot be read`.
        advice: how to fix it.
        causes: exceptions of the block that mean this.
    """
    try:
        yield
    except causes as error:
        if isinstance(error, kind):
            raise
        reason = shortened(str(error))
        raise kind(f"{problem} ({reason}); {advice}") from error


class ParamsError(KdTasksError):
    """`params.yaml` holds a key or a value that is not allowed."""


class ComputeDeviceError(KdTasksError):
    """The device that training was to run on is not there."""


class MissingPackageError(KdTasksError):
    """A package that is needed here is not installed."""


class DatasetError(KdTasksError):
    """The source images, labels or masks cannot be used as they are."""


class TeacherError(KdTasksError):
    """The teacher's file, its input or its output does not fit."""


class ModelError(KdTasksError):
    """A network cannot be built, cut into segments or loaded."""


class TrainingError(KdTasksError):
    """A training run broke down: its loss is not a number, or it predicts one class only."""


class Refused(KdTasksError):  # noqa: N818 - an outcome that is no mistake
    """A pass or a calibration cannot serve this model: what depends on it is skipped."""


class CompressionError(Refused):
    """A compression pass cannot serve this model."""


class ExportError(KdTasksError):
    """A model cannot be converted, or the converted file is not as requested."""


class BundleError(KdTasksError):
    """A bundle is incomplete, damaged or of a version that this code cannot read."""


class CalibrationError(Refused):
    """No thresholds can be chosen from the rows given."""


class ProjectError(KdTasksError):
    """The folder is no kdtasks project, or a command does not fit its state."""


class StageError(KdTasksError):
    """A stage of a flow failed, or was stopped."""


class TuneError(KdTasksError):
    """Settings cannot be tuned as requested, or nothing was found that could be applied."""


class SweepError(KdTasksError):
    """A grid of params, or an option of a sweep, makes no sense."""


class EvaluationError(KdTasksError):
    """Predictions, labels or settings of an evaluation do not fit together."""


class DeviceError(KdTasksError):
    """A device does not answer, or cannot do what it was asked for."""


class TelemetryError(KdTasksError):
    """What devices have counted cannot be read, or does not belong to the model."""


class StoreError(KdTasksError):
    """The model store lacks, refuses or cannot do what was asked of it."""


class StoreMissingError(StoreError):
    """The store holds no such model, version, alias or blob."""


class StoreConflictError(StoreError):
    """Somebody else wrote first; nothing was changed."""


class StoreUnreachableError(StoreError):
    """The store does not answer; a copy in the cache may serve meanwhile."""


class IntegrityError(StoreError):
    """Something in the store is damaged, forged or unsigned where a signature is needed."""


class UnknownSignerError(IntegrityError):
    """Something in the store is signed, with a key that does not count here.

    Attributes:
        signer: the identity of that key, as the record says.
    """

    def __init__(self, message: str, signer: str) -> None:
        """Keep what the record says."""
        super().__init__(message)
        self.signer = signer


class ServingError(KdTasksError):
    """A server or a device's agent cannot start as it was asked to."""
