"""Put a variant's model, thresholds and class names into a bundle."""

from pathlib import Path
from typing import Any

from kdtasks.compress.bundle.write import (
    make_manifest,
    make_self_test,
    write_bundle,
    write_refused_bundle,
)
from kdtasks.compress.tflite.metadata import sizes
from kdtasks.core.files import read_json, write_json
from kdtasks.core.records import refusal
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import MODEL
from kdtasks.edge.segments import Segments
from kdtasks.params import Params
from kdtasks.stage import run_stage

# What is measured or chosen after the export, or names other variants, does not change the bundle.
LATER: dict[str, Any] = {
    **dict.fromkeys(("search", "evaluate", "benchmark", "select"), True),
    "compress": {"variants"},
}


def main(params: Params, variant: str) -> None:
    """Write `bundles/<variant>/` and `metrics/export/<variant>.json`."""
    calibrated = Path("exits") / variant / "calibration.json"
    bundle = Path("bundles") / variant
    metrics = Path("metrics/export") / f"{variant}.json"
    if refused := refusal(calibrated):
        write_refused_bundle(bundle, refused)
        write_json(metrics, refused)
        print(f"{variant}: no model to export: {refused['refused']}")
        return
    model = (Path("models/compress") / variant / "model.tflite").read_bytes()
    calibration = read_json(calibrated)
    prepared = Path("data/prepared")
    data = open_prepared(prepared)
    manifest = make_manifest(
        name=params.export.name,
        variant=variant,
        task=params.data.task,
        class_names=data.class_names,
        input_shape=data.image_shape,
        calibration=calibration,
        validation_rows=len(data.labels("validation")),
        dataset_file=prepared / "dataset.json",
        parameters=params.model_dump(mode="json", exclude=LATER),
    )
    self_test = make_self_test(
        Segments(model),
        data.images("calibration"),
        pictures=params.export.self_test,
        score=manifest.score,
        temperatures=manifest.temperatures,
        thresholds=manifest.thresholds,
    )
    manifest = write_bundle(bundle, model, manifest, self_test)
    write_json(metrics, sizes((bundle / MODEL).read_bytes()))
    print(f"{variant}: {manifest.bytes:,} bytes, {manifest.segments} exits, in {bundle}")


if __name__ == "__main__":
    run_stage(main)
