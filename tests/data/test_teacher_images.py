"""Images in a size of the teacher's own, made from the originals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.core.files import read_json
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.prepared import UNLABELLED
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from kdtasks.data.teacher_images import (
    TeacherImageFormat,
    teacher_images,
    write_teacher_images,
)
from kdtasks.data.unlabelled import read_unlabelled, write_unlabelled

CLASSES = ("bright", "dark")


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataParams:
    """Forty colour photos of 20×30 pixels, and three without a label."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for number in range(43):
        low = 0 if number % 2 else 160
        pixels = draw.integers(low, low + 90, (20, 30, 3)).astype(np.uint8)
        name = f"photos/{CLASSES[number % 2]}/{number}.png"
        path = Path(name if number < 40 else f"drawer/summer/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return DataParams.model_validate(
        {
            "source": "image_folder",
            "path": "photos",
            "unlabelled": "drawer",
            "image_size": [8, 8],
            "channels": 1,
            "split": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
        }
    )


def write(params: DataParams, **own: Any) -> dict[str, list[str]]:
    """Prepare the photos, and write them for the teacher; the names of each part's rows."""
    dataset = load_dataset(params)
    split = split_dataset(dataset, params.split, seed=params.seed)
    write_prepared(Path("prepared"), dataset, split, params)
    unlabelled = read_unlabelled(params, dataset, split)
    write_unlabelled(Path("unlabelled"), unlabelled)
    write_teacher_images(
        Path("own"), params, dataset, split, unlabelled.names, TeacherImageFormat(**own)
    )
    return read_json(Path("prepared/names.json")) | read_json(Path("unlabelled/names.json"))


def test_rows_are_those_of_the_student_each_from_its_original(params: DataParams):
    names = write(params, image_size=(20, 30), channels=3)
    assert read_json(Path("own/images.json")) == {"shape": [20, 30, 3]}
    assert sorted(path.name for path in Path("own").iterdir()) == [
        "images.json",
        "test.npy",
        "train.npy",
        "unlabelled.npy",
        "validation.npy",
    ]
    for part in ("train", "validation", "test", "unlabelled"):
        images = teacher_images(Path("own"), part)
        assert len(images) == len(names[part]) > 0
        for name, image in zip(names[part], images, strict=True):
            folder = "drawer" if name.startswith(UNLABELLED) else "photos"
            with Image.open(Path(folder) / name.removeprefix(UNLABELLED)) as photo:
                np.testing.assert_array_equal(image, np.asarray(photo))


def test_what_is_not_given_is_the_students(params: DataParams):
    write(params, image_size=None, channels=3)
    assert teacher_images(Path("own"), "train").shape[1:] == (8, 8, 3)
    write(params, image_size=(16, 12), channels=None)
    assert teacher_images(Path("own"), "train").shape[1:] == (16, 12, 1)


def test_where_the_teacher_sees_what_the_student_sees_there_are_none(params: DataParams):
    write(params, image_size=None, channels=None)
    assert [path.name for path in Path("own").iterdir()] == ["images.json"]
    with pytest.raises(DatasetError, match="own holds no images of the teacher's own; run `dvc r"):
        teacher_images(Path("own"), "train")


def test_no_image_without_a_label_is_no_matter(params: DataParams):
    for path in Path("drawer/summer").iterdir():
        path.unlink()
    write(params, image_size=(20, 30), channels=3)
    assert teacher_images(Path("own"), "unlabelled").shape == (0, 20, 30, 3)


def test_an_image_that_is_gone_is_named(params: DataParams):
    dataset = load_dataset(params)
    split = split_dataset(dataset, params.split, seed=params.seed)
    gone = dataset.origins[split["train"][0]]
    (Path("photos") / gone).unlink()
    with pytest.raises(DatasetError, match=f"1 images, {gone} among them, were not found again"):
        write_teacher_images(
            Path("own"), params, dataset, split, [], TeacherImageFormat((20, 30), 3)
        )
    assert not Path("own").exists()


def test_a_class_may_be_called_as_what_images_without_a_label_begin_with(params: DataParams):
    Path("photos/bright").rename("photos/unlabelled")
    for number in range(3):  # two of whose names are those of labelled images
        Path(f"drawer/summer/{40 + number}.png").rename(f"drawer/{number}.png")
    names = write(params, image_size=(20, 30), channels=3)
    assert {"unlabelled/0.png", "unlabelled/2.png"} <= set(names["unlabelled"])
    for part in ("train", "validation", "test", "unlabelled"):
        for name, image in zip(names[part], teacher_images(Path("own"), part), strict=True):
            path = Path("drawer") / name.removeprefix(UNLABELLED)
            with Image.open(path if part == "unlabelled" else Path("photos") / name) as photo:
                np.testing.assert_array_equal(image, np.asarray(photo))


def test_a_name_that_two_images_have_is_refused(params: DataParams):
    dataset = load_dataset(params)
    split = split_dataset(dataset, params.split, seed=params.seed)
    twice = ["unlabelled/summer/40.png"] * 2
    with pytest.raises(DatasetError, match=r"two images are called unlabelled/summer/40\.png, so"):
        write_teacher_images(
            Path("own"), params, dataset, split, twice, TeacherImageFormat(None, 3)
        )


def test_a_source_of_arrays_is_read_again_too(params: DataParams):
    """Digits of 8×8 in the size of a teacher that wants them larger, and in colours."""
    Path("nothing").mkdir()
    given = {"source": {"name": "digits"}, "unlabelled": "nothing", "image_size": None}
    changed = {**params.model_dump(), **given, "channels": None, "max_images": 60}
    names = write(DataParams.model_validate(changed), image_size=(16, 16), channels=3)
    for part in ("train", "validation", "test"):
        images, small = teacher_images(Path("own"), part), np.load(f"prepared/{part}_images.npy")
        assert images.shape == (len(names[part]), 16, 16, 3)
        coarse = images.reshape(len(images), 8, 2, 8, 2, 3).mean(axis=(2, 4, 5))
        assert np.corrcoef(coarse.ravel(), small[..., 0].ravel())[0, 1] > 0.9
