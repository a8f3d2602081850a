"""Which output is which class, by the names that a user or a file gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.class_order import column_choices
from kdtasks.learn.teachers.settings import TeacherParams

PETS = ("cat", "dog", "owl")


def choices(classes: Any, outputs: int, path: str = "pets.keras") -> list[list[int]]:
    settings = {"source": "import", "path": path, "classes": classes}
    return column_choices(TeacherParams.model_validate(settings), PETS, outputs)


def test_without_names_the_outputs_are_the_classes():
    assert choices(None, 3) == [[0, 1, 2]]


def test_one_more_output_may_stand_before_or_behind_them():
    assert choices(None, 4) == [[1, 2, 3], [0, 1, 2]]
    assert choices(["owl", "cow", "cat", "dog"], 5) == [[3, 4, 1], [2, 3, 0]]


def test_a_list_gives_any_order_and_more():
    assert choices(["owl", "cat", "dog"], 3) == [[1, 2, 0]]
    assert choices(["owl", "cow", "cat", "dog", "hen"], 5) == [[2, 3, 0]]


def test_names_are_the_same_composed_or_decomposed():
    """As macOS's folders spell them, and as people do."""
    params = TeacherParams(source="import", classes=("k\u00e4fer", "b"))
    assert column_choices(params, ("b", "ka\u0308fer"), 2) == [[1, 0]]


@pytest.mark.parametrize(
    ("classes", "outputs", "message"),
    [
        (
            None,
            1000,
            r"has 1000 outputs, the dataset 3 classes \(cat, dog, owl\)\. Name all its",
        ),
        (None, 2, r"has 2 outputs, .*It has to know every class: leave the images of the others"),
        (["cat", "dog"], 4, "names 2 outputs, the teacher has 4; name each"),
        (["cat", "dog", "owls"], 3, r"lacks 1 of the .* \(owl\); .*; did you mean 'owls'"),
        (["cat", "dog", "owl", "cat"], 4, "gives the name 'cat' to the outputs 0 and 3; a class"),
    ],
)
def test_what_does_not_fit_is_told(classes: Any, outputs: int, message: str):
    with pytest.raises(TeacherError, match=message):
        choices(classes, outputs)


NAMES = ["hen", "owl", "cat", "dog"]
CONTENTS = {
    "names.txt": "hen\nowl\ncat\n\ndog\n",
    "list.json": json.dumps(NAMES),
    "class_indices.json": json.dumps({name: number for number, name in enumerate(NAMES)}),
    "numbered.json": json.dumps({str(number): name for number, name in enumerate(NAMES)}),
    "imagenet_class_index.json": json.dumps(
        {str(number): [f"n0{number}", name] for number, name in enumerate(NAMES)}
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_names_stands_in_the_folder_of_the_teacher(name: str, tmp_path: Path):
    (tmp_path / name).write_text(CONTENTS[name])
    assert choices(str(tmp_path / name), 4, str(tmp_path)) == [[2, 3, 1]]


def test_a_file_that_dvc_does_not_watch_is_refused(tmp_path: Path):
    (tmp_path / "names.txt").write_text(CONTENTS["names.txt"])
    (tmp_path / "teacher").mkdir()
    message = r"names\.txt is not in the folder teacher\.path, .*; put the teacher and the file of"
    for path in (tmp_path / "teacher", tmp_path / "teacher.keras"):
        with pytest.raises(TeacherError, match=message):
            choices(str(tmp_path / "names.txt"), 4, str(path))


@pytest.mark.parametrize(
    "content", ["{", "[1, 2]", '{"0": "cat", "2": "dog"}', '{"a": "b"}', "3"], ids=str
)
def test_a_file_of_something_else_is_told(content: str, tmp_path: Path):
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(TeacherError, match=r"names\.json cannot be read .*; expected one name a l"):
        choices(str(tmp_path / "names.json"), 4, str(tmp_path))
    with pytest.raises(TeacherError, match=r"lost\.json not found; give a list or a file of names"):
        choices(str(tmp_path / "lost.json"), 4, str(tmp_path))
