"""Hashes of the images that a teacher was trained on, and what is said of those held back."""

import hashlib
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.teachers.trained_on import FILE, TrainedOn, check_overlap, image_hashes


@dataclass
class Splits:
    """Images by split."""

    held: dict[str, np.ndarray]

    def images(self, split: str) -> np.ndarray:
        return self.held[split]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 6, 5, 1), np.uint8)


def dataset_of(images: np.ndarray, **counts: int) -> PreparedDataset:
    """Deal images to splits in their order."""
    ends = np.cumsum([*counts.values()])
    parts = np.split(images, ends[:-1])
    return cast(PreparedDataset, Splits(dict(zip(counts, parts, strict=True))))


SPLITS = {"train": 24, "validation": 12, "calibration": 12, "test": 12}


def test_a_hash_is_that_of_the_pixels(images):
    hashes = image_hashes(images)
    assert (hashes.dtype, hashes.shape) == (np.uint64, (60,))
    pixels = bytes(images[7].reshape(-1).tolist())
    expected = hashlib.blake2b(pixels, digest_size=8).digest()
    assert int(hashes[7]) == int.from_bytes(expected, "little")
    assert len(np.unique(hashes)) == 60
    np.testing.assert_array_equal(image_hashes(images[::-1]), hashes[::-1])
    assert image_hashes(images[:0]).shape == (0,)


def test_equal_images_give_equal_bytes_whatever_their_order_and_eight_an_image(images, tmp_path):
    many = np.random.default_rng(1).integers(0, 256, (5000, 4, 4, 1), np.uint8)
    for folder, part in (("one", many), ("other", np.concatenate([many[::-1], many[:9]]))):
        (tmp_path / folder).mkdir()
        TrainedOn.of(part).write(tmp_path / folder)
    first, second = ((tmp_path / name / FILE).read_bytes() for name in ("one", "other"))
    assert first == second
    assert 8 * 5000 <= len(first) < 8 * 5000 + 1000
    found = TrainedOn.read(tmp_path / "one")
    assert found is not None
    assert (found.image_shape, len(found.hashes)) == ((4, 4, 1), 5000)


def test_the_same_split_passes_without_a_word(images, tmp_path, capsys):
    TrainedOn.of(images[:24]).write(tmp_path)
    check_overlap(tmp_path, dataset_of(images, **SPLITS))
    assert capsys.readouterr().out == ""


def test_images_that_are_held_back_are_counted_by_split(images, tmp_path):
    TrainedOn.of(images[:24]).write(tmp_path)
    other = images.copy()
    other[[0, 24]] = images[[24, 0]]  # one changes places with a validation image
    other[[1, 2, 3, 48, 50, 59]] = images[[48, 50, 59, 1, 2, 3]]  # and three with test images
    with pytest.raises(
        TeacherError,
        match=rf"the teacher {tmp_path} was trained on 1 of 12 validation images, 3 of 12 test "
        r"images of this run, so .*; give `data` the seed and the split .*data\.stable_split in "
        r"both, or train it again here",
    ):
        check_overlap(tmp_path, dataset_of(other, **SPLITS))


def test_images_of_another_size_cannot_be_compared(images, tmp_path, capsys):
    TrainedOn.of(images[:24]).write(tmp_path)
    check_overlap(tmp_path, dataset_of(images[:, :5], **SPLITS))
    assert capsys.readouterr().out == (
        f"{tmp_path} was trained on images of 6×5×1, those of this run are 5×5×1: whether they are "
        "any of its validation, calibration or test images cannot be checked\n"
    )


def test_a_teacher_from_elsewhere_cannot_be_checked(images, tmp_path, capsys):
    (tmp_path / "teacher.keras").touch()
    for source in (tmp_path, tmp_path / "teacher.keras"):
        check_overlap(source, dataset_of(images, **SPLITS))
        assert f"{source} has no trained_on.npz and so does not say" in capsys.readouterr().out


def test_a_damaged_file_is_named(images, tmp_path):
    TrainedOn.of(images[:24]).write(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:-40])
    with pytest.raises(TeacherError, match=r"trained_on\.npz is damaged .*copy the teacher's"):
        check_overlap(tmp_path, dataset_of(images, **SPLITS))


def test_it_tells_which_images_it_lacks() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    known = TrainedOn.of(images[:4])
    assert known.is_unseen(images[2:]).tolist() == [False, False, True, True]
    # of images of another size nothing is known
    assert not known.is_unseen(np.zeros((3, 2, 2, 1), np.uint8)).any()
