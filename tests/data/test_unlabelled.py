"""Images without a label: found at any depth, each once, and none that models are tested by."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from kdtasks.data.unlabelled import (
    UnlabelledImages,
    open_unlabelled,
    read_unlabelled,
    unlabelled_names,
    write_unlabelled,
)

Read = Callable[..., UnlabelledImages]


@pytest.fixture
def drawer(tmp_path: Path) -> Path:
    """An empty folder for them."""
    folder = tmp_path / "drawer"
    folder.mkdir()
    return folder


@pytest.fixture
def read(image_folder: Path, drawer: Path, data_params: Callable[..., DataParams]) -> Read:
    """Read them beside a dataset of two classes."""

    def run(**keys: Any) -> UnlabelledImages:
        given = {"path": str(image_folder), "unlabelled": str(drawer), "image_size": [8, 8]}
        params = data_params("image_folder", **{**given, **keys})
        dataset = load_dataset(params)
        split = split_dataset(dataset, params.split, seed=params.seed)
        return read_unlabelled(params, dataset, split)

    return run


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_an_empty_folder_holds_none(read: Read):
    found = read()
    assert found.images.shape == (0, 8, 8, 3)
    assert found.record.present() == {"images": 0, "excluded": (), "repeated": 0}


def test_images_of_any_depth_and_size_are_read_as_the_datasets_own(
    read: Read, drawer: Path, noise: Callable[..., np.ndarray], tmp_path: Path
):
    save(drawer / "summer/2019/beach.png", noise(100, 16, 12))
    save(drawer / "top.png", noise(101))
    (drawer / ".hidden").write_text("not looked at")
    found = read()
    assert found.images.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(found.images[1], noise(101))
    assert found.names == ("unlabelled/summer/2019/beach.png", "unlabelled/top.png")
    write_unlabelled(tmp_path / "out", found)
    assert unlabelled_names(tmp_path / "out") == found.names
    np.testing.assert_array_equal(open_unlabelled(tmp_path / "out"), found.images)


def test_copies_of_held_out_images_are_excluded_and_others_counted_once(
    read: Read, drawer: Path, image_folder: Path, data_params: Callable[..., DataParams]
):
    # every image of the dataset is there again, one of them under two names, and one new one
    for path in sorted(image_folder.rglob("*.png")):
        save(drawer / f"again-{path.parent.name}-{path.name}", np.asarray(Image.open(path)))
    save(drawer / "new.png", np.full((8, 8, 3), 7, np.uint8))
    save(drawer / "new-copy.png", np.full((8, 8, 3), 7, np.uint8))
    found = read()
    assert len(found.images) == 1
    assert found.names == ("unlabelled/new-copy.png",)
    # of 12 images the split holds 8 out, as `SHARES` say; the 4 that train are there already
    held_out = [problem for problem in found.record.excluded if "tested by" in problem.problem]
    assert len(held_out) + found.record.repeated == 13
    assert found.record.repeated == 1 + (12 - len(held_out))
    assert 6 <= len(held_out) <= 8
    assert held_out[0].problem.startswith("the same image as cats/")


def test_what_is_no_image_is_refused_or_left_out(read: Read, drawer: Path):
    (drawer / "notes.txt").write_text("shopping list")
    with pytest.raises(DatasetError, match=r"cannot be used; fix them, .*\n  notes.txt: not an im"):
        read()
    assert [problem.path for problem in read(on_bad="skip").record.excluded] == ["notes.txt"]


def test_a_missing_folder_is_named_with_its_parameter(read: Read):
    with pytest.raises(DatasetError, match=r"nowhere not found, .* correct data\.unlabelled"):
        read(unlabelled="nowhere")


def test_a_missing_file_says_what_to_run(tmp_path: Path):
    with pytest.raises(
        DatasetError, match=r"images\.npy cannot be read .* run `dvc repro prepare`"
    ):
        open_unlabelled(tmp_path)


def test_a_test_image_is_found_though_it_was_resized_and_encoded_anew(
    tmp_path: Path, drawer: Path, data_params: Callable[..., DataParams]
):
    draw = np.random.default_rng(1)
    for name in ("cats", "dogs"):
        for number in range(6):  # clouds: what photos have of low frequencies
            small = draw.integers(0, 256, (9, 9, 3), dtype=np.uint8)
            cloud = Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)
            save(tmp_path / "photos" / name / f"{number}.png", np.asarray(cloud))
    params = data_params(
        "image_folder",
        path=str(tmp_path / "photos"),
        unlabelled=str(drawer),
        image_size=[64, 64],
    )
    dataset = load_dataset(params)
    split = split_dataset(dataset, params.split, seed=params.seed)
    for row in range(len(dataset)):
        photo = Image.open(tmp_path / "photos" / dataset.origins[row])
        photo.resize((80, 80), Image.Resampling.LANCZOS).save(drawer / f"{row}.jpg", quality=80)
    found = read_unlabelled(params, dataset, split)
    assert {int(name.partition("/")[2].removesuffix(".jpg")) for name in found.names} == set(
        split["train"].tolist()
    )
    told = [problem.problem for problem in found.record.excluded]
    assert len(told) == 12 - len(split["train"])
    assert all(text.startswith("nearly the same image as") for text in told)
    kept = read_unlabelled(params.model_copy(update={"near_copies": False}), dataset, split)
    assert len(kept.images) == 12


def clouds(count: int, width: int) -> list[np.ndarray]:
    """Images of 64 pixels' height: what photos have of low frequencies."""
    draw = np.random.default_rng(3)
    small = [draw.integers(0, 256, (9, 9, 3), dtype=np.uint8) for _ in range(count)]
    return [
        np.asarray(Image.fromarray(one).resize((width, 64), Image.Resampling.BICUBIC))
        for one in small
    ]


@pytest.fixture
def tested(
    tmp_path: Path, drawer: Path, data_params: Callable[..., DataParams]
) -> Callable[..., UnlabelledImages]:
    """Read what is beside a dataset whose test split is the image `dogs/film7.png`."""

    def run(first: np.ndarray, **keys: Any) -> UnlabelledImages:
        save(tmp_path / "photos/dogs/film7.png", first)
        for number, cloud in enumerate(clouds(3, 64)):
            save(tmp_path / f"photos/{'cats' if number else 'dogs'}/{number}.png", cloud)
        params = data_params(
            "image_folder",
            path=str(tmp_path / "photos"),
            unlabelled=str(drawer),
            image_size=[64, 64],
            **keys,
        )
        dataset = load_dataset(params)
        is_test = np.array(dataset.origins) == "dogs/film7.png"
        return read_unlabelled(
            params,
            dataset,
            {"train": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)},
        )

    return run


def test_a_film_whose_first_frame_is_tested_by_is_excluded_whole(
    tested: Callable[..., UnlabelledImages], drawer: Path
):
    *_, scene, other = clouds(6, 110)
    for frame in range(1, 15):
        save(drawer / f"{frame:02}.png", scene[:, 3 * frame : 3 * frame + 64])
    save(drawer / "other.png", other[:, :64])
    found = tested(scene[:, :64])
    assert found.names == ("unlabelled/other.png",)
    told = {problem.path: problem.problem for problem in found.record.excluded}
    assert told["01.png"].startswith("nearly the same image as dogs/film7.png, which")
    assert told["14.png"].startswith("grouped with dogs/film7.png, which")
    assert len(tested(scene[:, :64], near_copies=False).images) == 15


def test_a_pattern_groups_images_without_a_label_too(
    tested: Callable[..., UnlabelledImages], drawer: Path
):
    *_, first, second, third = clouds(7, 64)
    save(drawer / "film7 later.png", second)
    save(drawer / "film8.png", third)
    found = tested(first, group_by=r"film\d+|^(?!.*film\d).*")
    assert found.names == ("unlabelled/film8.png",)
    assert [problem.path for problem in found.record.excluded] == ["film7 later.png"]
    assert len(tested(first).images) == 2


def test_folders_group_images_without_a_label_too(
    tested: Callable[..., UnlabelledImages], drawer: Path
):
    *_, first, second, third, fourth = clouds(8, 64)
    save(drawer / "dogs/later.png", second)  # of the folder that the tested image is of
    save(drawer / "birds/other.png", third)
    save(drawer / "top.png", fourth)  # of no folder, so on its own
    found = tested(first, group_by=1)
    assert found.names == ("unlabelled/birds/other.png", "unlabelled/top.png")
    (left_out,) = found.record.excluded
    assert left_out.path == "dogs/later.png"
    assert left_out.problem.startswith("grouped with dogs/film7.png, which models")
