"""Evaluate a variant's bundle on the test split."""

from kdtasks.core.files import write_arrays, write_csv
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import check_not_refused
from kdtasks.data.prepared import open_prepared
from kdtasks.data.slices import open_folders, read_parts
from kdtasks.edge.bundle_files import MANIFEST
from kdtasks.evaluate.evaluator import RELIABILITY
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.params import Params
from kdtasks.stage import CsvTable, run_stage, stage


@stage(
    outputs=lambda paths, variant: [
        paths.metrics("evaluate", variant),
        paths.predictions(variant),
        CsvTable(paths.reliability(variant), RELIABILITY),
        paths.examples(variant),
    ]
)
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write scores, answers, reliability and examples."""
    bundle = paths.bundle(variant)
    check_not_refused(bundle / MANIFEST)
    dataset, parts = open_prepared(paths.prepared), read_parts(paths.slices)
    folders = open_folders(paths, params.evaluate.slices.folders)
    evaluator = evaluator_of(dataset, params.evaluate, parts=parts, folders=folders)
    evaluation = evaluator.evaluate(bundle)
    evaluation.scores.write(paths.metrics("evaluate", variant))
    write_arrays(paths.predictions(variant), **evaluation.predictions)
    write_csv(paths.reliability(variant), RELIABILITY, evaluation.reliability)
    write_arrays(paths.examples(variant), **evaluation.examples)
    print(f"{variant}: {evaluation.sentence}")


if __name__ == "__main__":
    run_stage(main)
