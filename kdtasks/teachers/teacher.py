"""A teacher, whatever it was made of: pictures in, logits out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.atomic import read_json
from kdtasks.errors import TeacherError
from kdtasks.models.saved import load_model
from kdtasks.teachers.formats import open_network
from kdtasks.teachers.imported import DESCRIPTION, run_in_batches
from kdtasks.teachers.outputs import to_logits
from kdtasks.training.inference import Predictor


@dataclass(frozen=True)
class Teacher:
    """A teacher.

    Attributes:
        logits: from uint8 [N, height, width, channels] to float32 [N, …, classes].
        parameters: number of weights; None where its file does not tell.
        macs: multiply-accumulates a picture; None for imported teachers.
    """

    logits: Callable[[Any], np.ndarray]
    parameters: int | None
    macs: int | None


def open_teacher(folder: Path, *, batch_size: int = 256) -> Teacher:
    """Open what the stage `teacher` wrote.

    Raises:
        TeacherError: the folder is incomplete.
    """
    if (folder / "model.json").is_file():
        model = load_model(folder)
        predictor = Predictor(model, batch_size=batch_size)
        return Teacher(
            logits=lambda images: predictor.logits(images)[-1],
            parameters=model.count_parameters(),
            macs=model.macs()[-1],
        )
    if not (folder / DESCRIPTION).is_file():
        raise TeacherError(f"{folder} holds no teacher; run `dvc repro teacher`")
    description = read_json(folder / DESCRIPTION)
    network = open_network(folder / description["file"])

    def logits(images: Any) -> np.ndarray:
        outputs = run_in_batches(network, images, description["input"], batch_size=batch_size)
        return to_logits(outputs) if description["output"] == "probabilities" else outputs

    return Teacher(logits=logits, parameters=description["parameters"], macs=None)
