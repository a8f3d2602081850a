"""Further folders of test images: read as the dataset is, without what models have seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.slice_folders import all_test, read_slice_folder, settings_of
from kdtasks.data.sources.segmentation_folder import SegmentationFolder
from kdtasks.data.split import split_dataset
from kdtasks.data.unlabelled import read_unlabelled, write_unlabelled
from tests.tools.aerial_photos import CLASSES, UNLABELLED, write_photos

Save = Callable[[str, Any], None]
Read = Callable[..., RawDataset]
SIDE = 24


def detailed(seed: int) -> np.ndarray:
    """An image that near copies are told by: uint8 [24, 24, 3]."""
    return np.random.default_rng(seed).integers(0, 200, (SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write an image below the test's folder."""

    def write(name: str, pixels: Any) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(path)

    return write


@pytest.fixture
def read(tmp_path: Path, save: Save, data_params: Callable[..., DataParams]) -> Read:
    """Prepare images of two classes, and read the folder `night`."""
    for number in range(20):
        save(f"day/{('cat', 'dog')[number % 2]}/{number}.png", detailed(number))
    save("drawer/more.png", detailed(50))

    def run(source: str | dict[str, Any] = "image_folder", **keys: Any) -> RawDataset:
        given = {"path": str(tmp_path / "day"), "unlabelled": str(tmp_path / "drawer")}
        params = data_params(source, **given | {"image_size": [SIDE, SIDE]} | keys)
        dataset = load_dataset(params)
        split = split_dataset(dataset, params.split, seed=params.seed)
        write_prepared(tmp_path / "prepared", dataset, split, params)
        write_unlabelled(tmp_path / "out", read_unlabelled(params, dataset, split))
        prepared = open_prepared(tmp_path / "prepared")
        settings = settings_of(tmp_path / "night", params, prepared)
        return read_slice_folder(settings, prepared, tmp_path / "out")

    return run


def names_of(tmp_path: Path, split: str) -> tuple[str, ...]:
    return open_prepared(tmp_path / "prepared").names(split)


def test_a_folder_has_the_datasets_size_and_class_numbers(
    tmp_path: Path, save: Save, read: Read
) -> None:
    save("night/dog/a.png", np.full((50, 40), 9, np.uint8))
    save("night/dog/b.png", detailed(70))
    found = read()
    assert found.images.shape == (2, SIDE, SIDE, 3)
    assert found.class_names == ("cat", "dog")
    assert found.labels.tolist() == [1, 1]  # of the folder's own classes it would be 0
    settings = settings_of(
        tmp_path / "night",
        DataParams(
            source={"name": "image_folder", "classes": ["dog", "cat"]},  # type: ignore[arg-type]
            image_size=(8, 8),
            split=dict.fromkeys(SPLITS, 0.25),  # type: ignore[arg-type]
        ),
        open_prepared(tmp_path / "prepared"),
    )
    write_prepared(tmp_path / "slice", found, all_test(found), settings)
    written = open_prepared(tmp_path / "slice")
    assert written.names("test") == ("dog/a.png", "dog/b.png")
    assert [written.counts[split].total for split in SPLITS] == [0, 0, 0, 2]
    np.testing.assert_array_equal(written.images("test"), found.images)
    assert settings.source.classes is None  # type: ignore[attr-defined]


def test_what_models_were_made_with_is_excluded_and_the_rest_stays(
    tmp_path: Path, save: Save, read: Read
) -> None:
    for number in range(20):  # all that there is, brighter
        save(f"night/{('cat', 'dog')[number % 2]}/{number}.png", detailed(number) + 40)
    save("night/cat/drawer.png", detailed(50))
    save("night/cat/new.png", detailed(60))
    found = read()
    tested = sorted(names_of(tmp_path, "test"))
    assert sorted(found.origins) == sorted([*tested, "cat/new.png"])
    seen = [name for split in SPLITS[:3] for name in names_of(tmp_path, split)]
    reasons = {problem.path: problem.problem for problem in found.excluded}
    assert reasons == {
        **{
            name: f"nearly the same image as {name}, which models are trained or chosen by"
            for name in seen
        },
        "cat/drawer.png": "the same image as more.png, which models are trained or chosen by",
    }
    assert len(seen) == 16
    # Nothing is left of a folder of such images alone.
    for path in (tmp_path / "night").rglob("*.png"):
        if path.name != "drawer.png":
            path.unlink()
    with pytest.raises(DatasetError, match=r"each of its 1 image is excluded.*more\.png"):
        read(on_bad="skip")


def test_unknown_classes_and_linked_folders_are_refused(
    tmp_path: Path, save: Save, read: Read
) -> None:
    save("night/cats/a.png", detailed(60))
    with pytest.raises(DatasetError, match="images of cats, no class of the dataset; did you mean"):
        read()
    (tmp_path / "night/cats").rename(tmp_path / "elsewhere")
    (tmp_path / "night/cat").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="cat leads to another place, where DVC would not see"):
        read()
    (tmp_path / "night/cat").unlink()
    (tmp_path / "night").rmdir()
    with pytest.raises(DatasetError, match=r"night not found.*correct evaluate\.slices\.folders"):
        read()


def test_bad_files_are_problems_as_the_datasets_are(tmp_path: Path, save: Save, read: Read) -> None:
    save("night/cat/a.png", detailed(60))
    (tmp_path / "night/cat/b.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match="night has 1 problem; fix them, or set data"):
        read()
    assert [problem.path for problem in read(on_bad="skip").problems] == ["cat/b.png"]


def test_16_bits_have_the_datasets_range(tmp_path: Path, save: Save, read: Read) -> None:
    for number in range(20):  # 12 bits
        deep = np.random.default_rng(number).integers(0, 4096, (SIDE, SIDE)).astype(np.uint16)
        save(f"day/{('cat', 'dog')[number % 2]}/{number}.png", deep)
    save("night/cat/dark.png", np.full((SIDE, SIDE), 819, np.uint16))  # 10 bits would do
    assert np.unique(read().images).tolist() == [51]  # 255 · 819 / 4095
    save("night/cat/light.png", np.full((SIDE, SIDE), 60000, np.uint16))
    with pytest.raises(DatasetError, match="up to 65,535, and 4,095 is white by the largest value"):
        read()


def test_a_dataset_that_is_no_folder_takes_folders_of_classes(save: Save, read: Read) -> None:
    save("night/7/a.png", detailed(60))
    found = read("digits", image_size=None)
    assert found.labels.tolist() == [7]
    assert found.images.shape == (1, 8, 8, 1)


def test_a_table_is_read_by_a_table(tmp_path: Path, save: Save, read: Read) -> None:
    rows = (f"{number}.png,{('cat', 'dog')[number % 2]}" for number in range(20))
    (tmp_path / "day/labels.csv").write_text("\n".join(["image,label", *rows]), encoding="utf-8")
    save("night/a.png", detailed(60))
    (tmp_path / "night/labels.csv").write_text("image,label\na.png,dog\n", encoding="utf-8")
    assert read("table").labels.tolist() == [1]


@pytest.mark.parametrize("source", ["segmentation_folder", "unlabelled_segmentation_folder"])
def test_masks_are_cut_as_the_datasets(
    tmp_path: Path, data_params: Callable[..., DataParams], source: str
) -> None:
    write_photos(tmp_path / "day", count=8)
    write_photos(tmp_path / "night", count=2, seed=9)
    (tmp_path / "drawer").mkdir()
    masks = {"classes": CLASSES, "ignore": [UNLABELLED], "patch_size": 16}
    places = {"path": str(tmp_path / "day"), "unlabelled": str(tmp_path / "drawer")}
    params = data_params({"name": "segmentation_folder", **masks}, **places)
    dataset = load_dataset(params)
    split = split_dataset(dataset, params.split, seed=0)
    write_prepared(tmp_path / "prepared", dataset, split, params)
    write_unlabelled(tmp_path / "out", read_unlabelled(params, dataset, split))
    prepared = open_prepared(tmp_path / "prepared")
    params = data_params({"name": source, **masks}, **places)
    settings = settings_of(tmp_path / "night", params, prepared)
    assert type(settings.source) is SegmentationFolder
    found = read_slice_folder(settings, prepared, tmp_path / "out")
    assert found.images.shape[1:] == (16, 16, 3)
    assert len(found) == 4 + 6  # patches of 32×32 and of 32×48
    assert found.groups is not None
    assert len(np.unique(found.groups)) == 2
    assert sorted(np.unique(found.labels).tolist()) == [0, 1, 2, 255]
