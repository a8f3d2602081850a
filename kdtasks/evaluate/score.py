"""How a model answers the test split, and what comes of comparing several."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records import Refusal
from kdtasks.core.records.data import NO_LABELS
from kdtasks.core.records.evaluate import ArmScores, Comparison, Gain, ModelScores, SplitSize
from kdtasks.evaluate.comparison import gain_of, over_seeds
from kdtasks.evaluate.intervals import Interval, Method, PairedComparison
from kdtasks.evaluate.looks import look_at
from kdtasks.evaluate.metrics import mean_scores
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.tasks.registry import metric_of
from kdtasks.tasks.task import Metric, Task


class Score(ABC):
    """How a model answers the test split, counted as its task counts.

    Attributes:
        task: of the model.
        settings: level of the intervals, and the bootstrap over test images.
        is_teacher_labelled: whether a teacher's answers stand in the place of labels.
    """

    task: ClassVar[Task]
    settings: EvaluateParams
    is_teacher_labelled: bool = False

    @property
    def metric(self) -> Metric:
        """What models are compared by."""
        return metric_of(self.task, self.settings.metric).by(teacher=self.is_teacher_labelled)

    @property
    @abstractmethod
    def rows(self) -> int:
        """Independent images of the split; patches of one image are one."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The metric that models are compared by, 0 … 1."""

    @property
    @abstractmethod
    def size(self) -> SplitSize:
        """What the split holds."""

    @abstractmethod
    def scores(self) -> ModelScores:
        """Give all scores, without an interval."""

    @abstractmethod
    def interval(self, confidence: float) -> Interval | None:
        """Give the interval of `value` at a level; None where the images are too few for one."""

    @classmethod
    @abstractmethod
    def gain_interval(cls, first: Sequence[Self], second: Sequence[Self]) -> Interval | None:
        """Give the interval, over test images, of the mean of first − second over seeds.

        Args:
            first, second: scores on the same images, of the same seeds in the same order.

        Raises:
            EvaluationError: the two are not of the same images and seeds.
        """

    @property
    @abstractmethod
    def paired_values(self) -> tuple[NDArray[Any], NDArray[np.integer]]:
        """Give a row of `values`, and one of the `units`, of the task's `SliceResults`."""

    @property
    def sparse(self) -> str:
        """Say which class's images are too few for a bound that is close; `` of most scores."""
        return ""

    @abstractmethod
    def paired(self, production: Self, *, method: Method, confidence: float) -> PairedComparison:
        """Compare with production's score on the same images.

        Args:
            production: of the same images, in the same order.
            method: where the bounds come from, in a task that leaves the choice.
            confidence: level of each one-sided bound, more than 0.5 and less than 1.

        Raises:
            EvaluationError: the two are not of the same images, or the level is out of range.
        """

    def with_interval(self) -> ModelScores:
        """Give all scores, with the interval of `value` at the level of the settings."""
        interval = self.interval(self.settings.confidence)
        return self.scores().model_copy(update={"interval": interval})


S = TypeVar("S", bound=Score)


def compare_scores(
    teacher: S | None,
    student: Mapping[int, S],
    distilled: Mapping[int, S],
    arms: Mapping[str, Mapping[int, S]] | None = None,
) -> Comparison:
    """Compare models that have answered the same test split.

    Args:
        teacher, student, distilled: scores, of students by seed; None of an untested teacher, and
            no student where none is taught by labels alone.
        arms: scores of further students by seed, by arm; their gains share one level.

    Raises:
        EvaluationError: the seeds do not match, or no test pixel is labelled.
    """
    first = teacher or next(iter(distilled.values()))
    confidence = first.settings.confidence
    by_seed, summaries = {}, {}
    arms = arms or {}
    for kind, models in {"student": student, "distill": distilled, **arms}.items():
        if not models:
            continue
        scores = {seed: models[seed].scores() for seed in sorted(models)}
        by_seed[kind] = {seed: models[seed].value for seed in scores}
        means = mean_scores(list(scores.values())).present() if first.task.per_pixel else {}
        means = {key: value for key, value in means.items() if key not in ("mean_iou", "interval")}
        summaries[kind] = over_seeds(by_seed[kind], confidence, means)

    def gain(arm: str, bootstrap: Interval | None, level: float) -> Gain:
        return gain_of(by_seed[arm], by_seed["student"], bootstrap=bootstrap, confidence=level)

    distilled_gain: Gain | Refusal = Refusal(refused=NO_LABELS)
    lead = None
    if students := list(student.values()):
        look = look_at(len(student))
        judged = sorted(student)[: look.seeds if look else None]  # those behind the gain over seeds
        bootstrap = first.gain_interval(
            [distilled[seed] for seed in judged if seed in distilled],
            [student[seed] for seed in judged],
        )
        distilled_gain = gain("distill", bootstrap, confidence)
        lead = teacher.gain_interval([teacher] * len(students), students) if teacher else None
    return Comparison(
        **first.size.present(),
        metric=first.settings.metric,
        teacher=teacher.with_interval() if teacher else None,
        student=summaries.get("student"),
        distill=summaries["distill"],
        gain=distilled_gain,
        teacher_lead=lead,
        teacher_worse_than_student=bool(lead and lead[1] < 0),
        labels_from="teacher" if first.is_teacher_labelled else None,
        arms={
            arm: ArmScores(
                **summaries[arm].present(),
                gain=gain(arm, None, 1 - (1 - confidence) / len(arms)) if student else None,
            )
            for arm in arms
        },
    )
