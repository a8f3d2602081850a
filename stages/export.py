"""Put a variant's model, thresholds and class names into a bundle."""

from typing import Any

from kdtasks.compress.bundle.write import make_manifest, make_self_test, write_bundle
from kdtasks.compress.tflite.metadata import sizes
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.bundle_files import MANIFEST, MODEL
from kdtasks.edge.segments import Segments
from kdtasks.params import AFTER_EXPORT, Params
from kdtasks.stage import Folder, run_stage, stage

# What is measured or chosen after the export, names other variants or students, or keeps a bundle
# from being there at all, does not change the bundle.
LATER: dict[str, Any] = {
    **dict.fromkeys(AFTER_EXPORT, True),
    "compress": {"variants", "parity"},
    "distill": {"arms"},
}


@stage(
    outputs=lambda paths, variant: [
        Folder(paths.bundle(variant), MANIFEST),
        paths.metrics("export", variant),
    ]
)
def main(params: Params, paths: ProjectPaths, variant: str) -> None:
    """Write the bundle and the sizes of its model."""
    calibration = Calibration.read(paths.calibration(variant))
    model = (paths.model("compress", variant) / MODEL).read_bytes()
    dataset, bundle = open_prepared(paths.prepared), paths.bundle(variant)
    manifest = make_manifest(
        dataset,
        calibration,
        name=params.export.name,
        variant=variant,
        parity=Compressed.read(paths.metrics("compress", variant)).parity,
        parameters=params.model_dump(mode="json", exclude=LATER),
    )
    self_test = make_self_test(
        Segments(model), dataset.images("calibration"), manifest, count=params.export.self_test
    )
    manifest = write_bundle(bundle, model, manifest, self_test)
    sizes((bundle / MODEL).read_bytes()).write(paths.metrics("export", variant))
    print(f"{variant}: {manifest.bytes:,} bytes, {manifest.segments} exits, in {bundle}")


if __name__ == "__main__":
    run_stage(main)
