"""Choose which labels of the training split students see; the teacher does not depend on it."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.data.labels import choose_labelled, count_labels, write_labelled
from kdtasks.data.prepared import open_prepared
from kdtasks.data.unlabelled import unlabelled_names
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage()
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the rows, and how many labels there are of each kind."""
    dataset = open_prepared(paths.prepared)
    labelled = choose_labelled(dataset, params.data.train_labels, seed=params.data.seed)
    write_labelled(paths.labelled, labelled)
    counts = count_labels(dataset, labelled, unlabelled=unlabelled_names(paths.unlabelled))
    counts.write(paths.metrics("labels"))
    print(
        f"students see {counts.train} labels; {counts.hidden} hidden, {counts.unlabelled} images "
        f"unlabelled; {counts.validation} validation and {counts.calibration} calibration labels"
    )


if __name__ == "__main__":
    run_stage(main)
