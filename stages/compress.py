"""Build one compressed variant of the best distilled student and convert it to LiteRT."""

from kdtasks.core.errors import BundleError, ExportError, Refused, TrainingError
from kdtasks.core.files import atomic_folder
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.training import Training
from kdtasks.edge.bundle_files import MODEL
from kdtasks.params import Params
from kdtasks.stage import REFUSED, Folder, run_stage, stage


@stage(
    outputs=lambda paths, variant: [
        Folder(paths.model("compress", variant), REFUSED),
        paths.metrics("compress", variant),
    ],
    refusals=(Refused, BundleError, ExportError, TrainingError),
)
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write the variant's model and its metrics."""
    from kdtasks.compress.build import compress
    from kdtasks.compress.exported import describe_variant, measure_parity
    from kdtasks.compress.fine_tuning import fine_tuning_of, pass_checkpoints
    from kdtasks.compress.layer_errors import LayerTrials
    from kdtasks.compress.variants import check_variant
    from kdtasks.core.backend import seed_everything
    from kdtasks.data.labels import open_labelled
    from kdtasks.data.prepared import open_prepared
    from kdtasks.data.unlabelled import open_unlabelled
    from kdtasks.learn.networks.saved import best_seed, load_model
    from kdtasks.learn.targets.files import target_files
    from kdtasks.learn.targets.open import distillation_set, open_targets
    from kdtasks.learn.training.loop import TrainingSchedule
    from kdtasks.tasks.registry import task_of

    setup, dataset = params.training(), open_prepared(paths.prepared)
    trained = {key: Training.read(paths.metrics("distill", key)) for key in params.seeds}
    seed = best_seed(trained, params.metric.key)
    base = paths.model("distill", seed)
    seed_everything(seed)
    rate, epochs = params.compress.learning_rate, params.distill.epochs
    inputs = [base / "model.weights.h5", paths.labelled, *target_files(paths.targets)]
    labelled, unlabelled = open_labelled(paths.labelled), open_unlabelled(paths.unlabelled)
    training = distillation_set(paths.targets, dataset, unlabelled, labelled)
    fine_tuning = fine_tuning_of(
        setup,
        params.distill,
        schedule=TrainingSchedule(
            setup.train, epochs=epochs, learning_rate=rate, seed=seed, precision=setup.precision
        ),
        dataset=dataset,
        training=training,
        examples=open_targets(paths.targets, training, seed=seed, own_images=paths.teacher_images),
        checkpoints=pass_checkpoints(variant, setup, seed=seed, inputs=inputs, paths=paths),
    )
    representative = dataset.images("calibration")[: params.compress.representative_images]
    validation = dataset.images("validation"), dataset.labels("validation")
    built = compress(
        load_model(base),
        variant,
        params.compress,
        fine_tuning=fine_tuning,
        representative=representative,
        class_names=dataset.class_names,
    )
    record = describe_variant(
        variant,
        built,
        base_seed=seed,
        parity=measure_parity(
            variant,
            built,
            dataset.images("calibration"),
            dataset.groups("calibration"),
            seen_rows=params.compress.representative_images,
        ),
        validation=validation,
        ignore_label=dataset.ignore_label,
        labels_from=dataset.labels_from("validation"),
    )
    if check_variant(variant).number_format == params.compress.int8.name:
        trials = LayerTrials(built.model, params.compress.int8, representative)
        layers = trials.measured(built.kept, validation, ignore_label=dataset.ignore_label)
        record = record.model_copy(update={"layers": layers})
    with atomic_folder(paths.model("compress", variant)) as partial:
        (partial / MODEL).write_bytes(built.content)
    record.write(paths.metrics("compress", variant))
    fine_tuning.remove_checkpoints()
    scores = record.validation.present()
    if scores.pop("labels_from", None):
        scores = {
            metric.by(teacher=True).name: scores[metric.key]
            for metric in task_of(dataset.task).metrics
        }
    scores_text = "; ".join(
        f"{name.replace('_', ' ')} by exit {', '.join(map(str, values))}"
        for name, values in scores.items()
    )
    print(
        f"{variant}: at most {record.bytes:,} bytes, {record.gzip_bytes:,} gzipped, validation "
        f"{scores_text}"
    )


if __name__ == "__main__":
    run_stage(main)
