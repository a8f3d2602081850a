"""The models that a device can run, by task, and one way to open a bundle of any."""

from collections.abc import Sequence
from pathlib import Path

from kdtasks.core.errors import BundleError
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.segmenter import Segmenter

PREDICTORS: dict[str, type[Predictor]] = {kind.task: kind for kind in (Classifier, Segmenter)}


def load_predictor(
    bundle: Path | str, thresholds: Sequence[float] | None = None, threads: int = 1
) -> Predictor:
    """Open a bundle of any task; arguments and errors as of `Predictor.load`."""
    task = read_manifest(Path(bundle)).task
    if task not in PREDICTORS:
        raise BundleError(
            f"the bundle's task is {task}, this version of kdtasks serves "
            f"{' and '.join(PREDICTORS)}; install the kdtasks that wrote it"
        )
    return PREDICTORS[task].load(bundle, thresholds, threads)
