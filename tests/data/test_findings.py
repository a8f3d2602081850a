"""What the page of the data shows: samples, copies, sizes and masks of folders made here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import KdTasksError
from kdtasks.core.records.findings import FileSize, MaskClass
from kdtasks.data.findings import MOST_CLASSES, overview_of, read_overview, write_overview
from kdtasks.data.prepare import read_grouped_dataset
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.edge.decoder import Header

Photo = Callable[[int], Image.Image]


@pytest.fixture
def photo() -> Photo:
    """Draw an image with enough to see that copies of it are found: blots of many sizes."""

    def draw(seed: int) -> Image.Image:
        generator = np.random.default_rng(seed)
        pixels = np.zeros((64, 64, 3))
        for side in (4, 8, 16, 32):
            small = generator.integers(0, 64, (side, side, 3), np.uint8)
            pixels += np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return draw


def test_a_folder_of_photos_with_every_kind_of_copy(
    tmp_path: Path, photo: Photo, data_params: Callable[..., DataParams]
):
    for split, name, seeds in (("train", "cat", range(6)), ("train", "dog", range(10, 16)),
                               ("test", "cat", (20, 21)), ("test", "dog", (30, 31))):  # fmt: skip
        (tmp_path / split / name).mkdir(parents=True)
        for seed in seeds:
            photo(seed).save(tmp_path / split / name / f"{seed}.png")
    photo(0).save(tmp_path / "train/dog/moved.png")
    brighter = photo(1).point(lambda level: min(255, level + 9))
    brighter.save(tmp_path / "test/cat/brighter.jpg", quality=95)
    photo(2).resize((128, 32)).save(tmp_path / "train/cat/wide.png")
    params = data_params("image_folder", path=str(tmp_path), image_size=[64, 64], on_bad="skip")
    overview = overview_of(read_grouped_dataset(params))
    findings, copies = overview.findings, overview.findings.copies
    assert findings.files == 19
    assert findings.formats == {"PNG": 18, "JPEG": 1}
    assert findings.sizes == (
        FileSize(height=64, width=64, files=18),
        FileSize(height=32, width=128, files=1),
    )
    assert sum(findings.brightness) == 19
    # the wide one has lost half of its rows, but not what near copies are told by
    assert (copies.pairs, copies.two_labels, copies.two_splits) == (3, 1, 1)
    pairs = [(pair.first.name, pair.second.name, pair.equal) for pair in copies.shown]
    assert pairs[0] == ("train/cat/0.png", "train/dog/moved.png", True)
    assert {*pairs[1][:2]} == {"test/cat/brighter.jpg", "train/cat/1.png"}
    assert pairs[1][2] is False
    first = copies.shown[0].first
    assert (first.label, first.given) == ("cat", "")
    np.testing.assert_array_equal(
        overview.images[first.thumbnail], overview.images[copies.shown[0].second.thumbnail]
    )
    assert [shown.note for shown in findings.outliers["size"].shown] == ["128 × 32"]
    assert {name: len(shown) for name, shown in findings.samples.items()} == {"cat": 10, "dog": 9}


def test_an_image_without_a_file_hides_no_unusual_size(tiny_dataset: Callable[..., RawDataset]):
    dataset = tiny_dataset([0, 1] * 6)
    usual = Header((8, 8), 1, False, False, "PNG")
    headers = [(name, usual) for name in dataset.origins[1:]]  # the first row has none
    headers[4] = (headers[4][0], usual._replace(size=(8, 64)))
    headers.insert(2, ("unreadable.png", usual))  # no row is of it
    listed = overview_of(replace(dataset, headers=headers)).findings.outliers["size"]
    assert [(shown.name, shown.note) for shown in listed.shown] == [(headers[5][0], "64 × 8")]


def test_a_burst_does_not_fill_the_page(tiny_dataset: Callable[..., RawDataset]):
    copies = np.array([[one, other] for one in range(6) for other in range(one + 1, 6)])
    overview = overview_of(tiny_dataset([0, 1] * 6, copies=copies))
    assert overview.findings.copies.pairs == 15
    pairs = overview.findings.copies.shown
    shown = [image.name for pair in pairs for image in (pair.first, pair.second)]
    assert len(shown) == len({*shown}) == 6


def test_of_many_classes_the_rarest_and_the_commonest_are_shown(
    tiny_dataset: Callable[..., RawDataset],
):
    labels = [label for label in range(60) for _ in range(label + 1)]
    names = tuple(f"{label:02}" for label in range(60))
    samples = overview_of(tiny_dataset(labels, class_names=names)).findings.samples
    half = MOST_CLASSES // 2
    assert list(samples) == [*names[:half], *names[-half:]]
    assert [len(shown) for shown in samples.values()] == [1, 2, 3] + [4] * 37


def test_masks_are_counted_by_pixels_and_by_images():
    masks = np.full((4, 4, 4), 255, np.uint8)
    masks[0], masks[1, :2], masks[2, 0, 0] = 0, 1, 1
    names = [f"{image}.png[{top}:4, 0:4]" for image in "ab" for top in (0, 4)]
    dataset = RawDataset(
        task="segmentation",
        images=np.arange(4 * 16, dtype=np.uint8).reshape(4, 4, 4, 1),
        labels=masks,
        class_names=("land", "water", "road"),
        origins=tuple(names),
        ignore_label=255,
    )
    overview = overview_of(dataset)
    found = overview.findings.masks
    assert found is not None
    assert found.classes == {
        "land": MaskClass(pixels=16, images=1),
        "water": MaskClass(pixels=9, images=2),
        "road": MaskClass(pixels=0, images=0),
    }
    assert found.images == 2
    assert found.void == pytest.approx(1 - 25 / 64)
    water = overview.findings.samples["water"]
    assert [shown.name for shown in water] == names[1:3]
    assert [shown.note for shown in water] == ["50% of it", "6% of it"]
    assert overview.masks is not None
    np.testing.assert_array_equal(overview.masks[water[0].thumbnail], masks[1])


def test_patches_of_one_image_are_no_copies_of_each_other():
    images = np.zeros((3, 4, 4, 1), np.uint8)
    images[:, 0] = 99
    dataset = RawDataset(
        task="segmentation",
        images=images,
        labels=np.zeros((3, 4, 4), np.uint8),
        class_names=("land", "water"),
        origins=("a[0:4, 0:4]", "a[0:4, 4:8]", "b[0:4, 0:4]"),
        ignore_label=255,
    )
    copies = overview_of(dataset).findings.copies
    assert [(pair.first.name, pair.second.name) for pair in copies.shown] == [
        ("a[0:4, 4:8]", "b[0:4, 0:4]")
    ]


def test_images_without_a_label_are_shown_as_such(tiny_dataset: Callable[..., RawDataset]):
    samples = overview_of(tiny_dataset([-1] * 5, class_names=("one", "two"))).findings.samples
    assert list(samples) == ["without a label"]
    assert len({shown.name for shown in samples["without a label"]}) == 5
    assert {shown.label for shown in samples["without a label"]} == {""}


def test_an_empty_dataset_has_nothing_to_show():
    dataset = RawDataset(
        task="classification",
        images=np.empty((0, 1, 1, 1), np.uint8),
        labels=np.empty(0, np.int32),
        class_names=(),
        origins=(),
    )
    overview = overview_of(dataset)
    assert (overview.findings.samples, sum(overview.findings.brightness), len(overview.images)) == (
        {},
        0,
        0,
    )


def test_what_is_written_is_read_again(
    tmp_path: Path, tiny_dataset: Callable[..., RawDataset], data_params: Any
):
    overview = overview_of(tiny_dataset([0, 0, 1, 1]))
    write_overview(tmp_path / "findings", overview)
    found = read_overview(tmp_path / "findings")
    assert found.findings == overview.findings
    np.testing.assert_array_equal(found.images, overview.images)
    assert found.masks is None
    with pytest.raises(KdTasksError, match="run `dvc repro`"):
        read_overview(tmp_path)
