"""Choose temperatures and thresholds of a variant's exits on the calibration split."""

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.compress import Compressed
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.edge.bundle_files import MODEL
from kdtasks.edge.segments import Segments
from kdtasks.evaluate.exits.calibrate import (
    TRADEOFF,
    Labelled,
    calibrate,
    sentences,
    uncalibrated,
    write_tradeoff,
)
from kdtasks.evaluate.exits.thresholds import Point
from kdtasks.params import Params
from kdtasks.stage import Table, run_stage, stage


@stage(
    outputs=lambda paths, variant: [
        paths.calibration(variant),
        Table(paths.tradeoff(variant), TRADEOFF),
    ]
)
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write the calibration, and the best points that there were to choose from."""
    compressed = Compressed.read(paths.metrics("compress", variant))
    dataset = open_prepared(paths.prepared)
    points: list[Point] = []
    if dataset.task == "segmentation":
        calibration = uncalibrated(compressed)
    else:
        segments = Segments(paths.model("compress", variant) / MODEL)
        calibration, points = calibrate(
            answers(segments, dataset, "calibration"),
            answers(segments, dataset, "validation"),
            params.exits,
            macs=compressed.macs,
            seen_rows=params.compress.calibration_images,
        )
    calibration.write(paths.calibration(variant))
    write_tradeoff(paths.tradeoff(variant), points)
    for sentence in sentences(calibration):
        print(f"{variant}: {sentence}")


def answers(segments: Segments, dataset: PreparedDataset, split: str) -> Labelled:
    """What the exported file says of a split, and its labels."""
    return segments.logits_of(dataset.images(split)), dataset.labels(split)


if __name__ == "__main__":
    run_stage(main)
