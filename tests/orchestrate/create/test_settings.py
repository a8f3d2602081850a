"""What is chosen for images and a teacher."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.data.proposal import source_of
from kdtasks.data.sources import Item
from kdtasks.orchestrate.create.images import InspectedImages
from kdtasks.orchestrate.create.settings import choose, image_size_of, name_of
from kdtasks.orchestrate.create.teacher import InspectedTeacher
from kdtasks.params import Params, parse_params

MASKS = source_of(name="segmentation_folder", classes={"sky": 0, "ground": 1})


def images(
    count: int, *sizes: tuple[int, int], grey: bool = False, masks: bool = False
) -> InspectedImages:
    return InspectedImages(
        source=MASKS if masks else source_of(name="image_folder"),
        path=Path("photos"),
        links={},
        items=[Item(str(number), Path("a.png"), 0) for number in range(count)],
        class_names=("sky", "ground"),
        sizes=np.array(sizes),
        is_grey=grey,
        bad=(),
    )


def chosen(found: InspectedImages, teacher: InspectedTeacher | None = None) -> Params:
    return parse_params(choose("mine", found, teacher))


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (900, [(28, 28)], (28, 28)),  # small and all alike: as they are
        (900, [(128, 700), (500, 375)], (96, 96)),
        (30_000, [(128, 700), (500, 375)], (64, 64)),
        (900, [(40, 50), (60, 45)], (32, 32)),
        (900, [(20, 30), (22, 22)], (21, 21)),
    ],
)
def test_the_size_of_images(count: int, sizes: list[tuple[int, int]], expected: tuple[int, int]):
    assert image_size_of(images(count, *sizes)) == expected


@pytest.mark.parametrize(
    ("count", "size", "network"),
    [(300, (28, 28), "cnn"), (300, (200, 300), "mobilenet"), (50_000, (200, 300), "cnn")],
)
@pytest.mark.parametrize("grey", [False, True])
def test_classification_gets_a_student_that_fits(
    count: int, size: tuple[int, int], network: str, grey: bool
):
    params = chosen(images(count, size, grey=grey))
    assert params.student.model.name == network
    assert params.data.channels == (1 if grey else 3)
    assert params.teacher.source == "train"
    names = [transform.name for transform in params.augmentation.transforms]
    assert ("horizontal_flip" in names) == (not grey and size != (28, 28))


def test_epochs_and_splits_go_by_the_number_of_images():
    few, some, many = (chosen(images(count, (64, 64))) for count in (300, 5_000, 50_000))
    assert [it.distill.epochs for it in (few, some, many)] == [80, 64, 8]
    assert [it.data.split.test for it in (few, some, many)] == [0.2, 0.2, 0.1]


@pytest.mark.parametrize("side", [16, 40, 100, 128, 224])
def test_masks_get_a_network_that_halves_their_patches(side: int):
    settings: dict[str, Any] = {"source": "import", "classes": None}
    params = chosen(
        images(60, (300, 400), masks=True),
        InspectedTeacher((side, side), 3, settings, "fine", None),
    )
    assert params.data.source.model_dump()["patch_size"] == side
    filters = params.student.model.model_dump()["filters"]
    assert side % 2 ** (len(filters) - 1) == 0
    assert params.student.exits == ()


def test_a_teacher_keeps_its_own_images_and_the_student_sees_no_larger_ones():
    settings = {
        "source": "import",
        "classes": ["ground", "sky"],
        "input": {"scaling": "torch", "layout": "rgb"},
    }
    large = chosen(images(300, (500, 500)), InspectedTeacher((224, 224), 3, settings, "fine", None))
    assert large.teacher.input.size == (224, 224)
    assert large.teacher.input.channels is None
    assert large.teacher.input.scaling == "torch"
    assert large.teacher.classes == ("ground", "sky")
    assert large.data.image_size == (96, 96)
    small = chosen(
        images(300, (500, 500), grey=True), InspectedTeacher((48, 48), 3, settings, "fine", None)
    )
    assert small.data.image_size == (48, 48)
    assert small.teacher.input.size is None
    assert small.teacher.input.channels == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Project", "my-project"), ("_42.x", "42.x"), ("日本", "student"), ("a" * 99, "a" * 64)],
)
def test_names_of_models(text: str, name: str):
    assert name_of(text) == name
