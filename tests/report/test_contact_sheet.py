"""The contact sheet: what training sees, before anyone trains and without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kdtasks.core.records.data import SplitCounts
from kdtasks.data.prepared import PreparedDataset
from kdtasks.learn.training.views import AugmentationParams
from kdtasks.report.contact_sheet import write_contact_sheet

ROOT = Path(__file__).parents[2]
NAMES = ("dark", "bright")


def dataset(folder: Path, images: np.ndarray, labels: np.ndarray) -> PreparedDataset:
    """A dataset of which nothing but the training split is there."""
    np.save(folder / "train_images.npy", images)
    np.save(folder / "train_labels.npy", labels)
    return PreparedDataset(
        folder=folder,
        name="squares",
        task="classification" if labels.ndim == 1 else "segmentation",
        class_names=NAMES,
        image_shape=images.shape[1:],
        ignore_label=None if labels.ndim == 1 else 255,
        counts={"train": SplitCounts(total=len(images), by_class={})},
    )


def sheet(
    data: PreparedDataset, transforms: object = ("horizontal_flip",), *, is_varied: bool = True
) -> np.ndarray:
    augmentation = AugmentationParams.model_validate({"transforms": transforms})
    path = data.folder / "report/augmentation.png"
    write_contact_sheet(path, data, augmentation, is_varied=is_varied, mask_values={})
    with PIL.Image.open(path) as page:
        return np.asarray(page.convert("RGB"))


def cell(page: np.ndarray, row: int, column: int, *, lines: int) -> np.ndarray:
    """An image of the page, of 112×112 pixels, below a title of one line."""
    top = 8 + 17 + 17 + 8 + row * (112 + lines * 17 + 8)
    left = 8 + column * (112 + 8)
    return page[top : top + 112, left : left + 112]


def test_images_stand_beside_views_of_them(tmp_path: Path):
    # Two classes in turn, each with its left half lit.
    images = np.zeros((40, 14, 14, 1), np.uint8)
    images[:, :, :7] = np.where(np.arange(40) % 2, 200, 90)[:, None, None, None]
    page = sheet(dataset(tmp_path, images, (np.arange(40) % 2).astype(np.int32)))
    assert page.shape[1] == 6 * 120 + 8
    flipped = 0
    for row in range(8):
        first = cell(page, row, 0, lines=1)
        level = (90, 200)[row >= 4] if row in (0, 7) else first.max()
        assert (first[:, :56] == level).all()
        assert (first[:, 56:] == 0).all()
        for column in range(1, 6):
            view = cell(page, row, column, lines=1)
            is_flipped = bool((view[:, 56:] == level).all())
            np.testing.assert_array_equal(view, first[:, ::-1] if is_flipped else first)
            flipped += is_flipped
    assert 5 < flipped < 35  # of 40 by halves: beyond with a probability below 1e-6
    assert (page[:42] < 60).any()  # the title


def test_without_augmentation_there_are_the_images_alone(tmp_path: Path):
    images = np.full((3, 14, 14, 3), 90, np.uint8)
    data = dataset(tmp_path, images, np.zeros(3, np.int32))
    page = sheet(data, is_varied=False)
    for row in range(3):
        assert (cell(page, row, 0, lines=1) == 90).all()
        assert (cell(page, row, 1, lines=1) == 255).all()


def test_masks_tint_and_outline_their_images(tmp_path: Path):
    # 112 pixels, so that nothing is resized: dark at the left, bright, unlabelled at the right.
    masks = np.zeros((2, 112, 112), np.uint8)
    masks[:, :, 40:] = 1
    masks[:, :, 80:] = 255
    images = np.full((2, 112, 112, 3), 100, np.uint8)
    page = sheet(dataset(tmp_path, images, masks), is_varied=False)
    found = cell(page, 0, 0, lines=0)
    assert (found == found[:1]).all()
    row = found[0].astype(int)
    left, outline, middle, right = row[0], row[39], row[60], row[100]
    assert right.tolist() == [104] * 3  # 0.85 · 100 + 0.15 · 128
    for inside, colour in ((left, outline), (middle, row[79])):
        assert np.abs(inside - (0.85 * 100 + 0.15 * colour)).max() <= 0.5
        assert colour.tolist() != [100] * 3
    assert outline.tolist() != row[79].tolist()


def test_both_classes_of_a_mixed_image_are_named(tmp_path: Path):
    images = np.zeros((8, 14, 14, 1), np.uint8)
    data = dataset(tmp_path, images, (np.arange(8) % 2).astype(np.int32))
    plain, mixed = (sheet(data, transforms) for transforms in (["shift"], ["mixup"]))
    assert mixed.shape[0] - plain.shape[0] == 8 * 17  # a second line below each


@pytest.mark.parametrize("transforms", ["light", "strong"])
def test_the_stage_does_without_tensorflow(transforms: str, tmp_path: Path):
    code = f"""
import sys
from pathlib import Path
import numpy as np
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.findings import overview_of, write_overview
from kdtasks.data.prepare import write_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.params import Params, load_params
from stages import preview

settings = load_params(Path({str(ROOT / "recipes/mnist-5k.yaml")!r})).model_dump()
settings["augmentation"] = {{"transforms": {transforms!r}}}
params = Params.model_validate(settings)
images = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
dataset = RawDataset(
    task="classification", images=images, labels=(np.arange(20) % 2).astype(np.int32),
    class_names=("one", "two"), origins=tuple(map(str, range(20))),
)
parts = np.split(np.arange(20), [12, 15, 18])
names = ("train", "validation", "calibration", "test")
paths = ProjectPaths()
write_prepared(paths.prepared, dataset, dict(zip(names, parts)), params.data)
write_overview(paths.findings, overview_of(dataset))
preview.main(params, paths)
print(sorted(name for name in ("tensorflow", "tf_keras") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "report/data.html shows the data",
        "report/augmentation.png shows what training sees",
        "[]",
    ]
    assert "20 images of 2 classes: 12 train" in (tmp_path / "report/data.html").read_text()
    with PIL.Image.open(tmp_path / "report/augmentation.png") as page:
        assert page.width == 6 * 120 + 8
