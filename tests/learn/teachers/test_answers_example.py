"""The example writes what the stage reads; a model that looks at one pixel stands in."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.backend import keras_3
from kdtasks.core.files import write_json
from kdtasks.learn.teachers.answer_files import read_answer_file

EXAMPLE = Path(__file__).parents[3] / "examples" / "teacher_answers.py"


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("teacher_answers", EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_answers_stand_under_the_names_that_prepare_kept(example: ModuleType, tmp_path: Path):
    names = [f"red/{row}.png" for row in range(70)]  # more than one pass of the model
    splits = {"train": names[:40], "validation": names[40:], "calibration": [], "test": []}
    write_json(tmp_path / "data/prepared/names.json", splits)
    write_json(tmp_path / "data/unlabelled/names.json", {"unlabelled": ["unlabelled/a/b.png"]})
    for row, name in enumerate(["a/b.png", *names]):
        path = tmp_path / ("drawer" if not row else "raw") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), row).save(path)

    def answer(images: list[Image.Image]) -> np.ndarray:
        reds = [np.asarray(image)[0, 0, 0] for image in images]
        return np.array([[red, -1.0] for red in reds])

    files = example.image_files(tmp_path, tmp_path / "raw", tmp_path / "drawer")
    example.write_answers(tmp_path / "clip.npz", files, ["red", "green"], answer)
    found = read_answer_file(tmp_path / "clip.npz")
    assert (found.kind, found.classes) == ("logits", ("red", "green"))
    expected = {"unlabelled/a/b.png": 0} | {name: row for row, name in enumerate(names, start=1)}
    assert dict(zip(found.names, found.values[:, 0], strict=True)) == expected
    assert example.image_files(tmp_path, tmp_path / "raw", None).keys() == set(names)


def test_a_keras_3_classifier_is_asked_at_its_own_size(example: ModuleType, tmp_path: Path):
    keras = keras_3()
    pixels = keras.Input((2, 3, 3))
    answers = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(pixels))
    keras.Model(pixels, answers).save(tmp_path / "big.keras")
    answer = example.keras_classifier(tmp_path / "big.keras")
    logits = answer([Image.new("RGB", (9, 9), (2, 1, 0))])
    np.testing.assert_allclose(logits - logits[:, :1], [[0, -1, -2]], atol=1e-5)
