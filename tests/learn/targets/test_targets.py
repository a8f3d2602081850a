"""The teacher's targets on disk."""

import shutil
import tracemalloc
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import ParamsError, TeacherError
from kdtasks.core.records.data import Features, Targets
from kdtasks.data.labels import TrainingSet, training_set
from kdtasks.learn.augmentations.horizontal_flip import HorizontalFlip
from kdtasks.learn.augmentations.mixup import Mixup
from kdtasks.learn.targets.files import target_files
from kdtasks.learn.targets.write import write_targets
from kdtasks.learn.teachers.teacher import Teacher
from kdtasks.learn.training.examples import Block, TrainingExamples
from kdtasks.learn.training.views import AugmentationParams, draw_views
from tests.learn.targets.conftest import (
    AUGMENTATION,
    IMAGES,
    LABELS,
    read,
    three_means,
    write,
)
from tests.tools.datasets import dataset_of


def test_more_images_take_no_more_memory(tmp_path: Path):
    mixing = AUGMENTATION.model_copy(update={"transforms": (*AUGMENTATION.transforms, Mixup())})
    teacher = Teacher(lambda images: [np.zeros((len(images), 3), np.float32)], None, None)
    peaks = []
    for count in (512, 1536):
        np.save(tmp_path / "images.npy", np.zeros((count, 64, 64, 1), np.uint8))
        images = np.load(tmp_path / "images.npy", mmap_mode="r")
        labels, rows = np.zeros(count, np.int32), np.arange(count)
        training = TrainingSet(images, labels, rows, -1, None)
        tracemalloc.start()
        write_targets(tmp_path / "targets", teacher, training, augmentation=mixing)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # a thousand images of 4096 bytes more: what is drawn for each is below 64 numbers of 8 bytes
    assert peaks[1] - peaks[0] < 1024 * 64 * 8


def test_what_is_written_is_what_is_read(tmp_path: Path):
    summary = write(tmp_path / "targets")
    examples = read(tmp_path / "targets")
    views, labels = draw_views(IMAGES, LABELS, AUGMENTATION)
    np.testing.assert_array_equal(examples.images, views)
    np.testing.assert_array_equal(examples.labels, labels)
    for view in range(3):
        logits = three_means(views[view])
        logits -= logits.max(axis=1, keepdims=True)
        np.testing.assert_array_equal(examples.teacher_logits[view], logits.astype(np.float16))
    assert (examples.images.dtype, examples.teacher_logits.dtype) == (np.uint8, np.float16)
    assert examples.labels.dtype == np.int32
    assert isinstance(examples.images, np.memmap)
    assert summary == Targets.read(tmp_path / "targets" / "targets.json")
    assert (summary.mode, summary.views, summary.images) == ("cached", 3, 11)
    assert (summary.classes, summary.features) == (3, ())


def test_view_0_is_not_augmented_and_the_others_are(tmp_path: Path):
    write(tmp_path / "targets")
    views = read(tmp_path / "targets").images
    np.testing.assert_array_equal(views[0], IMAGES)
    assert (views[1] != IMAGES).any()
    assert (views[1] != views[2]).any()


def test_agreement_is_the_share_of_labels_that_the_teacher_names(tmp_path: Path):
    def always_class_2(images: np.ndarray) -> np.ndarray:
        return np.tile(np.array([0, 0, 1], np.float32), (len(images), 1))

    summary = write(tmp_path / "targets", always_class_2)
    assert summary.agreement == (pytest.approx((LABELS == 2).mean(), abs=1e-6),) * 3


def test_the_same_targets_are_the_same_bytes(tmp_path: Path):
    write(tmp_path / "first")
    write(tmp_path / "second")
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == ["labels.npy", "logits.npy", "targets.json", "unlabelled.npy", "views.npy"]
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def left_half(images: np.ndarray) -> np.ndarray:
    return images[:, ::2, :4].astype(np.float32) / 255


def brightest(images: np.ndarray) -> np.ndarray:
    return images.max(axis=(1, 2)).astype(np.float32)


def test_hidden_features_are_kept_beside_the_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # 3 logits, 4·4 and 1 features of 4 bytes: the 11 images come by 4, 4 and 3.
    monkeypatch.setattr("kdtasks.learn.targets.write._CHUNK_BYTES", 4 * 80)
    summary = write(tmp_path / "targets", left_half=left_half, brightest=brightest)
    # 3 views of 11 images: 64 bytes, 3 logits, 4·4 and 1 features of 2 bytes.
    assert capsys.readouterr().out.splitlines()[0] == (
        "targets take 0.0 MB of views, 0.0 MB of logits, 0.0 MB of features of left_half, "
        "0.0 MB of features of brightest"
    )
    assert summary.features == (
        Features(layer="left_half", shape=(4, 4, 1), file="features-0.npy"),
        Features(layer="brightest", shape=(1,), file="features-1.npy"),
    )
    examples = read(tmp_path / "targets", "brightest", "left_half")
    assert [each.shape for each in examples.sample.features] == [(1,), (4, 4, 1)]
    for features, layer in zip(examples.teacher_features, (brightest, left_half), strict=True):
        assert isinstance(features, np.memmap)
        assert features.dtype == np.float16
        for view in range(3):
            expected = layer(examples.images[view]).astype(np.float16)
            np.testing.assert_array_equal(features[view], expected)
    assert read(tmp_path / "targets").teacher_features == ()


def test_sizes_are_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "free")
    # 3·11·(64 + 4 + 6 + 32) bytes are needed.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free=3 * 11 * 106))
    write(tmp_path / "targets", left_half=left_half)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free=3 * 11 * 106 - 1))
    with pytest.raises(
        TeacherError, match=r"the targets need 0\.00 GB, .* has 0\.00 GB free; lower"
    ):
        write(tmp_path / "more" / "targets", left_half=left_half)
    assert not (tmp_path / "more" / "targets").exists()


def test_the_likeliest_classes_alone_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    whole = write(tmp_path / "whole")
    capsys.readouterr()
    summary = write(tmp_path / "top", top_k=1)
    assert capsys.readouterr().out.splitlines()[0] == (
        "targets take 0.0 MB of views, 0.0 MB of logits, 0.0 MB of their classes"
    )
    assert summary == whole.model_copy(update={"top_k": 1})
    examples, complete = read(tmp_path / "top"), read(tmp_path / "whole")
    assert examples.sample.logits.shape == complete.sample.logits.shape == (3,)
    # Two float16 and one byte for each of 3 views of 11 images, in place of three float16.
    assert examples.megabytes() - complete.megabytes() == pytest.approx(3 * 11 * (5 - 6) / 1e6)

    def only_block(source: TrainingExamples) -> Block:
        (block,) = source.blocks(epoch=1, order=np.arange(11), batch_size=2, steps_per_block=5)
        return block

    in_memory = examples.in_memory()
    assert not np.shares_memory(in_memory.teacher_logits.values, examples.teacher_logits.values)
    for source in (examples, in_memory):
        block, expected = only_block(source), only_block(complete)
        assert block.logits.shape == expected.logits.shape
        assert block.logits.dtype == np.float16
        likeliest = three_means(block.images.reshape(10, 8, 8, 1)).argmax(-1)
        np.testing.assert_array_equal(block.logits.argmax(-1).ravel(), likeliest)
    assert [path.name for path in target_files(tmp_path / "top")] == [
        "targets.json",
        "top_k.npy",
        "top_logits.npy",
        "unlabelled.npy",
    ]


def test_as_many_top_classes_as_there_are_are_refused(tmp_path: Path):
    message = r"targets\.top_k is 3, the dataset has 3 classes; give 1 to 2, or null"
    with pytest.raises(ParamsError, match=message):
        write(tmp_path / "targets", top_k=3)


def test_features_that_are_not_there_are_refused(tmp_path: Path):
    write(tmp_path / "targets", left_half=left_half)
    message = r"has the features of \['left_half'\], not of 'block_1'; add it to targets\.features"
    with pytest.raises(TeacherError, match=message):
        read(tmp_path / "targets", "left_half", "block_1")
    write(tmp_path / "without")
    with pytest.raises(TeacherError, match="has the features of no layer, not of 'left_half'"):
        read(tmp_path / "without", "left_half")


def test_the_files_of_answers_are_all_but_what_is_drawn_anew(tmp_path: Path):
    write(tmp_path / "targets", left_half=left_half)
    names = [path.name for path in target_files(tmp_path / "targets")]
    assert names == ["features-0.npy", "logits.npy", "targets.json", "unlabelled.npy"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (70_000.0, r"reach 69\d+\.?\d*; targets are stored as float16, which holds up to 65,504"),
        (-1e6, r"reach 1\.000\d+e\+06; targets are stored as float16"),
        (np.nan, "not all finite"),
        (np.inf, "not all finite"),
    ],
)
def test_logits_beyond_float16_are_refused(bad: float, message: str, tmp_path: Path):
    def once_bad(images: np.ndarray) -> np.ndarray:
        logits = three_means(images)
        logits[4:5, 1] = bad
        return logits

    with pytest.raises(TeacherError, match=message):
        write(tmp_path / "targets", once_bad)
    assert list(tmp_path.iterdir()) == []


def test_the_largest_float16_is_kept(tmp_path: Path):
    def large(images: np.ndarray) -> np.ndarray:
        return np.tile(np.array([0, -65_504, -1], np.float32), (len(images), 1))

    write(tmp_path / "targets", large)
    logits = read(tmp_path / "targets").teacher_logits
    assert logits.max() == 0
    assert logits.min() == -65_504


def test_masks_move_with_their_images(tmp_path: Path):
    masks = (IMAGES[..., 0] > 127).astype(np.uint8)
    masks[:, :2] = 255  # unlabelled

    def two_pixel_logits(images: np.ndarray) -> np.ndarray:
        bright = images[..., 0] > 127
        return np.stack([~bright, bright], axis=-1).astype(np.float32)

    dataset = dataset_of(IMAGES, masks, num_classes=2, ignore_label=255)
    training = training_set(dataset, IMAGES[:0])
    summary = write_targets(
        tmp_path / "targets",
        Teacher(run=lambda images: [two_pixel_logits(images)], parameters=None, macs=None),
        training,
        augmentation=AugmentationParams(views=2, transforms=(HorizontalFlip(),)),
    )
    examples = read(tmp_path / "targets")
    assert examples.labels.shape == (2, 11, 8, 8)
    assert examples.teacher_logits.shape == (2, 11, 8, 8, 2)
    # Unlabelled pixels are neither right nor wrong.
    assert summary.agreement == (1.0, 1.0)


@pytest.mark.parametrize("name", ["labels.npy", "logits.npy", "targets.json", "views.npy"])
def test_an_incomplete_folder_is_refused(name: str, tmp_path: Path):
    write(tmp_path / "targets")
    (tmp_path / "targets" / name).unlink()
    with pytest.raises(TeacherError, match=f"holds no {name}; run `dvc repro targets`"):
        read(tmp_path / "targets")
