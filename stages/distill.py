"""Distil the student from the teacher's targets, cached or online, for one seed."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage
from stages.student import train_student


@stage()
def main(params: Params, paths: ProjectPaths, seed: str) -> None:
    """Write the distilled student, its metrics and its learning curve."""
    from kdtasks.data.prepared import open_prepared
    from kdtasks.learn.objectives.distillation import DistillationObjective
    from kdtasks.learn.objectives.hints import teacher_layers
    from kdtasks.learn.objectives.objective import label_loss_of
    from kdtasks.learn.targets import answer_files, open_targets

    dataset, layers = open_prepared(paths.prepared), teacher_layers(params.distill.hints)
    examples = open_targets(paths.targets, dataset, seed=int(seed), layers=layers)
    objective = DistillationObjective(params.distill, label_loss_of(params.train.loss, dataset))
    inputs = answer_files(paths.targets)
    train_student(params, paths, f"distill/{seed}", dataset, examples, objective, inputs)


if __name__ == "__main__":
    run_stage(main)
