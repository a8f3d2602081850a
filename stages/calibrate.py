"""Choose temperatures and thresholds of a variant's exits on the calibration split."""

from pathlib import Path
from typing import Any

from kdtasks.core.errors import CalibrationError
from kdtasks.core.files import read_json, write_json
from kdtasks.core.records import refusal
from kdtasks.data.prepared import open_prepared
from kdtasks.evaluate.exits.calibrate import sentences, write_tradeoff
from kdtasks.evaluate.exits.thresholds import Point
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.params import Params
from kdtasks.stage import run_stage


def main(params: Params, variant: str) -> None:
    """Write `exits/<variant>/calibration.json` and `tradeoff.csv`."""
    compressed = Path(f"metrics/compress/{variant}.json")
    output = Path("exits") / variant
    calibration: dict[str, Any] = refusal(compressed) or {}
    points: list[Point] = []
    data = open_prepared(Path("data/prepared"))
    if not calibration:
        try:
            calibration, points = evaluator_of(data.task).calibrate(
                Path("models/compress") / variant / "model.tflite",
                data,
                read_json(compressed),
                params.exits,
                seen_rows=params.compress.calibration_images,
            )
        except CalibrationError as error:
            calibration = {"refused": str(error)}
    write_json(output / "calibration.json", calibration)
    write_tradeoff(output / "tradeoff.csv", points)
    for sentence in sentences(calibration):
        print(f"{variant}: {sentence}")


if __name__ == "__main__":
    run_stage(main)
