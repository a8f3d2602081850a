"""Choose temperatures and thresholds of a variant's exits on the calibration split.

A variant whose file is too far from its network is refused, and so are its bundle and all after it.
"""

from kdtasks.core.errors import Refused
from kdtasks.core.files import write_arrays, write_csv
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.compress import Compressed
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import MODEL
from kdtasks.evaluate.exits.calibrate import TRADEOFF, sentences
from kdtasks.evaluate.parity import parity_problem
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.params import Params
from kdtasks.stage import CsvTable, run_stage, stage


@stage(
    outputs=lambda paths, variant: [
        paths.calibration(variant),
        CsvTable(paths.tradeoff(variant), TRADEOFF),
        paths.leaving(variant),
    ]
)
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write the calibration, and the best points that there were to choose from."""
    compressed = Compressed.read(paths.metrics("compress", variant))
    if problem := parity_problem(compressed.parity, params.compress.parity):
        raise Refused(problem)
    dataset = open_prepared(paths.prepared)
    calibration, choices = evaluator_of(dataset).calibrate(
        paths.model("compress", variant) / MODEL,
        compressed,
        params.exits,
        seen_rows=params.compress.representative_images,
    )
    calibration.write(paths.calibration(variant))
    points = choices.points if choices else []
    write_csv(paths.tradeoff(variant), TRADEOFF, [(point.cost, point.accuracy) for point in points])
    shown = {}
    if choices:
        images = dataset.images("calibration")[choices.rows]
        shown = {"images": images, "early": choices.early, "left_at": choices.left_at}
    write_arrays(paths.leaving(variant), **shown)
    for sentence in sentences(calibration):
        print(f"{variant}: {sentence}")


if __name__ == "__main__":
    run_stage(main)
