"""What a teacher is found to want and to know."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.orchestrate.create.images import inspect_images
from kdtasks.orchestrate.create.teacher import InspectedTeacher, inspect_teacher
from tests.orchestrate.create.conftest import MakePhotos

MakeTeacher = Callable[..., Path]


def asked(path: Path, photos: Path, **options: object) -> InspectedTeacher:
    images = inspect_images(photos, None, None)
    return inspect_teacher(path, images, size=(24, 24), channels=3, **options)  # type: ignore[arg-type]


def test_its_size_and_what_it_gets_right(make_photos: MakePhotos, make_teacher: MakeTeacher):
    found = asked(make_teacher(), make_photos())
    assert (found.size, found.channels) == ((16, 16), 3)
    assert found.sentence == (
        "the teacher takes 16×16 in −1…1 and gets 100.0\u00a0% of 90 of them right"
    )
    assert found.settings["input"] == {"scaling": "symmetric", "layout": "rgb"}
    assert found.settings["classes"] is None


def test_any_size_is_the_students(make_photos: MakePhotos, make_teacher: MakeTeacher):
    found = asked(make_teacher(side=None), make_photos())
    assert found.size is None
    assert found.sentence.startswith("the teacher takes images of any size in ")


def test_outputs_in_another_order_are_named(make_photos: MakePhotos, make_teacher: MakeTeacher):
    order = ["red", "blue", "green"]
    found = asked(make_teacher(order), make_photos())
    assert found.settings["classes"] == order
    assert found.sentence.endswith("its outputs seem to be in the order red, blue, green")
    told = asked(make_teacher(order), make_photos(), classes=order)
    assert told.settings["classes"] == order
    assert "order" not in told.sentence


def test_one_that_knows_nothing_or_does_not_fit_is_refused(
    make_photos: MakePhotos, make_masks: MakeTeacher, make_teacher: MakeTeacher, tmp_path: Path
):
    photos, scenes = make_photos(), make_masks([0, 1, 2])
    (tmp_path / "broken.keras").write_bytes(b"PK")
    for path, given, message in (
        (make_teacher(sign=0.0), photos, r"gets 33\.3.% of 90 images right, and always answering"),
        (make_teacher(["red", "blue"]), photos, "has 2 outputs, the dataset 3 classes"),
        (make_teacher(), scenes, "has outputs 3, the dataset has 16×16×3, the last being its cla"),
        (tmp_path / "broken.keras", photos, "broken.keras"),
        (tmp_path / "nowhere.keras", photos, "nowhere.keras not found; give the file"),
    ):
        with pytest.raises(TeacherError, match=message):
            asked(path, given)
