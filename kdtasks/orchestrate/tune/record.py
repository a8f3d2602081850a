"""The records of a tuning: what was found, and every trial."""

from pydantic import JsonValue

from kdtasks.core.records import Part, Record


class Best(Part):
    """The best trial of one student.

    Attributes:
        score: on the validation split, of masks mean IoU.
        number: of the trial, from 1.
        settings: key of params.yaml to value.
    """

    score: float
    number: int
    settings: dict[str, JsonValue]


class TriedSettings(Part):
    """A trial: its settings, its validation score after each epoch, and how it ended."""

    settings: dict[str, JsonValue]
    scores: tuple[float, ...]
    ended: str


class TuneResult(Record):
    """What a tuning found, as `kdtasks tune --apply` reads it.

    Attributes:
        others: hash of the settings that were not tuned.
        trials: of either student.
        seed: that the trials trained with.
        best: of `alone` and of `distilled`.
    """

    others: str
    trials: int
    seed: int
    best: dict[str, Best]


class Tuned(TuneResult):
    """`tune.json`: the same with every trial of either student, to look at."""

    tried: dict[str, tuple[TriedSettings, ...]]
