"""Measure what the filters of every layer of the best distilled student are worth."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.training import Training
from kdtasks.params import Params
from kdtasks.stage import run_stage, stage


@stage(outputs=lambda paths: [paths.metrics("sensitivity")])
def main(params: Params, paths: ProjectPaths) -> None:
    """Write the accuracy without some filters of each layer."""
    import numpy as np

    from kdtasks.compress.pruning.sensitivity import sensitivity
    from kdtasks.core.backend import seed_everything
    from kdtasks.data.labels import open_labelled
    from kdtasks.data.prepared import open_prepared
    from kdtasks.data.stacked_rows import rows_of
    from kdtasks.learn.networks.saved import best_seed, load_model
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.tasks.task import AGREEMENT

    dataset, labelled = open_prepared(paths.prepared), open_labelled(paths.labelled)
    trained = {key: Training.read(paths.metrics("distill", key)) for key in params.seeds}
    seed = best_seed(trained, params.metric.key)
    seed_everything(seed)
    # without labels to rank by, any images do for the statistics of batch normalisation
    rows = labelled if len(labelled) else np.arange(dataset.counts["train"].total)
    record = sensitivity(
        load_model(paths.model("distill", seed)),
        rank=params.compress.passes.filters.rank,
        examples=TrainingExamples(
            rows_of(dataset.images("train"), rows[None]), dataset.labels("train")[rows[None]]
        ),
        validation=(dataset.images("validation"), dataset.labels("validation")),
        ignore_label=dataset.ignore_label,
    )
    record = record.model_copy(update={"labels_from": dataset.labels_from("validation")})
    what = AGREEMENT if record.labels_from else "accuracy"
    record.write(paths.metrics("sensitivity"))
    for name, metrics in record.layers.items():
        parts = ", ".join(f"{key}: {value:.4f}" for key, value in metrics.items() if "." in key)
        print(f"{name}, {metrics['filters']} filters: {what} without a fraction of them {parts}")


if __name__ == "__main__":
    run_stage(main)
