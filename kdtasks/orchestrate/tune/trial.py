"""One trial: a student is trained with some settings, as long as it keeps up with the others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.exceptions import TrialPruned
from optuna.trial import Trial

from kdtasks.core.paths import ProjectPaths
from kdtasks.learn.arms import Arm, ArmPlanner, rate_and_epochs, train_arm
from kdtasks.learn.schedules import History
from kdtasks.learn.training.monitor import best_epoch
from kdtasks.params import Params

# A trial is compared with others at the same part of its epochs: the learning rate falls along one
# curve however many there are, and a short training is not ahead of a long one.
WHOLE = 1000


def run_trial(
    trial: Trial, training: str, arm: Arm, params: Params, *, project: Path, seed: int
) -> float:
    """Train a student and give the validation score of its last exit.

    A trial that was interrupted goes on from its last checkpoint.

    Args:
        trial: is told the score after every epoch.
        training: name of its checkpoint.
        arm: what the student is taught with.
        params: of the project, with the trial's settings.
        seed: of the student.

    Raises:
        TrialPruned: it does not keep up with the others.
        TrainingError: it broke down.
    """
    paths, setup = ProjectPaths(project), params.training()
    metric = setup.metric
    online = params.targets.mode == "online"
    planner = ArmPlanner(paths, params.augmentation, setup.train, params.distill, online, seed)
    _, epochs = rate_and_epochs(arm, params.student, params.distill)
    reported = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def follow(history: History) -> None:
        for epoch in range(1, len(history) + 1):
            if (step := WHOLE * epoch // epochs) not in reported:
                trial.report(_score(history[:epoch], metric, keeps_best=arm == "labels"), step)
                reported.add(step)
                if epoch < epochs and trial.should_prune():
                    raise TrialPruned

    if reported and trial.should_prune():  # interrupted before it could be asked
        raise TrialPruned
    trained = train_arm(training, arm, planner, params.student, setup, follow)
    history = trained.history[trained.head_epochs :]
    return _score(history, metric, keeps_best=bool(trained.run.schedule.keeps_best))


def _score(history: History, metric: str, *, keeps_best: bool) -> float:
    """Of what the training would end with: its best epoch or the last one."""
    record: Mapping[str, Any] = history[best_epoch(history, metric) - 1 if keeps_best else -1]
    return float(record[f"validation_{metric}"])
