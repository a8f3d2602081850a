"""Teachers that kdtasks has trained, in another project or run."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kdtasks.core.backend import Tensor, tf
from kdtasks.core.errors import ModelError, TeacherError
from kdtasks.core.files import read_json
from kdtasks.learn.networks.saved import load_model
from kdtasks.learn.teachers.formats import (
    DESCRIPTION,
    OpenedNetwork,
    TeacherFormat,
    teacher_formats,
)
from kdtasks.learn.teachers.outputs import mean_logits


@teacher_formats.register
class Trained(TeacherFormat):
    """The folder `models/teacher` of another run that trained its teacher: a network, or several.

    They are built anew from their params, so nothing in the folder runs.
    """

    gives_features: ClassVar = True
    uses_tensorflow: ClassVar = True
    scaling: ClassVar = "byte"

    name: Literal["trained"] = "trained"

    @property
    def files(self) -> str:
        return "a folder `models/teacher` of a trained teacher"

    def matches(self, path: Path) -> bool:
        return bool(_folders(path))

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        models = [load_model(folder, advice="copy it again") for folder in _folders(path)]
        if layers and len(models) > 1:
            raise TeacherError(
                f"targets.features: the teacher {path} is an ensemble of {len(models)}, whose "
                "hidden features cannot be averaged; give the folder of one member, or set "
                "targets.features to []"
            )
        try:
            networks = [model.tapped(layers) for model in models]
        except ModelError as error:
            raise TeacherError(f"targets.features: {error}") from None

        @tf.function(autograph=False, reduce_retracing=True)
        def forward(images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
            outputs = [network(images) for network in networks]
            return [logits[-1] for logits, _ in outputs], outputs[0][1]

        def run(images: np.ndarray) -> list[np.ndarray]:
            members, features = forward(tf.constant(images))
            logits = [member.numpy() for member in members]
            together = mean_logits(logits) if len(logits) > 1 else logits[0]
            return [together, *(feature.numpy() for feature in features)]

        return OpenedNetwork(
            batch_size=None,
            input_shape=models[0].input_shape,
            output_shape=tuple(models[0].network.outputs[-1].shape[1:]),
            run=run,
            parameters=sum(model.count_parameters() for model in models),
        )


def _folders(path: Path) -> list[Path]:
    """The folders of a trained teacher's networks; none where it is something else."""
    if (path / "model.json").is_file():
        return [path]
    if not (path / DESCRIPTION).is_file():
        return []
    try:
        members = list(read_json(path / DESCRIPTION).get("members", ()))
        is_named = all(name == Path(name).name for name in members)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [path / name for name in members] if is_named else []
