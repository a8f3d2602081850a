"""What a model's exits and confidences look like on pictures that it was made for."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.edge.model import Model
from kdtasks.edge.scores import max_probability
from kdtasks.edge.telemetry import confidence_counts
from kdtasks.errors import TelemetryError
from kdtasks.exits.answers import answers_of


class Histograms(NamedTuple):
    """Counts of answers: by exit [K], and in ten equal ranges of confidence [10]."""

    exits: tuple[int, ...]
    confidences: tuple[int, ...]


def reference_histograms(bundle: Path, data: PreparedDataset) -> Histograms:
    """Run a bundle on the test split, which neither its training nor its thresholds have seen.

    Raises:
        BundleError: the bundle cannot be run.
        TelemetryError: the bundle takes other pictures.
    """
    model = Model.load(bundle)
    if model.manifest.input_shape != data.image_shape:
        raise TelemetryError(
            f"{bundle} takes pictures of {model.manifest.input_shape}, {data.folder} holds "
            f"{data.image_shape}; what the model expects is not known here"
        )
    answers = answers_of(model, data.images("test"))
    scores = max_probability(answers.logits, model.manifest.temperatures)
    confidences = scores[np.arange(len(scores)), answers.exit_index]
    exits = np.bincount(answers.exit_index, minlength=model.segments.count)
    return Histograms(tuple(exits.tolist()), tuple(confidence_counts(confidences).tolist()))
