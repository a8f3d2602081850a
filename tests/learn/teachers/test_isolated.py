"""Networks that loop, fail, take all memory or end their process; TensorFlow is not needed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers import isolated

EXTENSION = '''
import os
from typing import ClassVar, Literal
import numpy as np
from kdtasks.learn.teachers.formats import OpenedNetwork, TeacherFormat, teacher_formats


@teacher_formats.register
class Odd(TeacherFormat):
    """Does what its file says."""

    endings: ClassVar = (".odd",)
    name: Literal["odd"] = "odd"

    def open(self, path, layers):
        word = path.read_text()
        if word == "damaged":
            raise KeyError("weights")

        def run(images):
            while word == "is long":
                images = np.sort(images, axis=0)
            if word == "dies":
                os.abort()
            if word == "fails":
                raise ZeroDivisionError("nothing to divide by")
            if word == "hungry":
                return [np.ones(2**50, np.uint8)]
            rows = 2 * len(images) if word == "doubles" else len(images)
            return [np.full((rows, 2), images.mean(), np.float32), images]

        return OpenedNetwork(None, (2, 2, 1), (2,), run, 7)
'''

BATCH = np.arange(12, dtype=np.float32).reshape(3, 2, 2, 1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a format of its own; its process starts where the project is."""
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions/odd.py").write_text(EXTENSION)
    monkeypatch.chdir(tmp_path)
    for process in isolated._processes:
        process.end()
    yield tmp_path
    for process in isolated._processes:
        process.end()


def test_answers_features_and_what_is_known_of_it_come_back(project: Path) -> None:
    Path("it.odd").write_text("answers")
    opened = isolated.open_isolated(Path("it.odd"))
    assert (opened.batch_size, opened.input_shape, opened.output_shape) == (None, (2, 2, 1), (2,))
    assert opened.parameters == 7
    outputs, features = opened.run(BATCH)
    np.testing.assert_array_equal(outputs, np.full((3, 2), 5.5, np.float32))
    np.testing.assert_array_equal(features, BATCH)


def test_whatever_goes_wrong_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for word, told in {
        "damaged": r"it\.odd could not be opened \(KeyError: 'weights'\)",
        "fails": r"did not answer 3 images: ZeroDivisionError: nothing to divide by",
        "hungry": "did not answer 3 images: it takes more memory than there is",
        "doubles": r"it gave numbers of \(6, 2\), \(3, 2\) were expected",
        "dies": r"it ended the process that runs it \(SIGABRT\)",
    }.items():
        Path("it.odd").write_text(word)
        with pytest.raises(TeacherError, match=told):
            isolated.open_isolated(Path("it.odd")).run(BATCH)
    Path("it.odd").write_text("is long")
    monkeypatch.setattr(isolated, "PATIENCE", 0.2)
    monkeypatch.setattr(isolated, "BYTES", 70.0)  # seven of them are worth 0.1 s
    opened = isolated.open_isolated(Path("it.odd"))
    with pytest.raises(
        TeacherError, match=r"did not answer 3 images within 0\.\d+ s of computing; look whether it"
    ):
        opened.run(BATCH)
    with pytest.raises(TeacherError, match="it ended the process that runs it"):
        opened.run(BATCH)
    monkeypatch.undo()
    monkeypatch.chdir(project)
    Path("it.odd").write_text("answers")
    assert isolated.open_isolated(Path("it.odd")).run(BATCH)[0].shape == (3, 2)


def test_a_format_that_is_unknown_is_told_as_it_is_in_the_process_itself(project: Path) -> None:
    with pytest.raises(TeacherError, match=r"^teacher\.path: none\.odd not found; give the file"):
        isolated.open_isolated(Path("none.odd"))
