"""A project's own `extensions/` adds a teacher format, whose files are imported and opened."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

FORMAT = '''
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kdtasks.learn.teachers.formats import OpenedNetwork, TeacherFormat, teacher_formats


@teacher_formats.register
class Linear(TeacherFormat):
    """Weights of a linear layer."""

    endings: ClassVar = (".npy",)

    name: Literal["linear"] = "linear"

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        weights = np.load(path)
        return OpenedNetwork(
            batch_size=None,
            input_shape=(4, 4, 1),
            output_shape=weights.shape[1:],
            run=lambda images: [images.reshape(len(images), -1) @ weights],
            parameters=weights.size,
        )
'''

SCRIPT = """
from pathlib import Path
import numpy as np
from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.imported import import_teacher
from kdtasks.learn.teachers.network import open_network
from kdtasks.learn.teachers.settings import TeacherParams
from kdtasks.learn.teachers.teacher import open_teacher
from tests.tools.datasets import dataset_of

images, labels = np.load("images.npz").values()
params = TeacherParams(source="import", path="weights.npy", input="unit", output="logits")
dataset = dataset_of(images, labels, num_classes=3, split="validation")
import_teacher(Path("teacher"), params, dataset)
np.save("logits.npy", open_teacher(Path("teacher")).logits(images))
try:
    open_network(Path("images.npz"))
except TeacherError as error:
    print(error)
"""


def test_a_format_of_the_projects_own(tmp_path: Path, extended: Callable[[str, str], str]) -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(16, 3)).astype(np.float32)
    images = generator.integers(0, 256, (9, 4, 4, 1), np.uint8)
    np.save(tmp_path / "weights.npy", weights)
    expected = (images / np.float32(255)).reshape(9, 16) @ weights
    np.savez(tmp_path / "images.npz", images=images, labels=expected.argmax(axis=1))
    printed = extended(FORMAT, SCRIPT)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-4, atol=1e-5)
    assert "images.npz is of no known format" in printed
    assert "`.tflite`, a folder `models/teacher` of a trained teacher, `.npy`;" in printed
