"""Small folders in the layouts of public datasets, as their pages describe them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
_RNG_SEED = 0


class Painter:
    def __init__(self, root: Path) -> None:
        self._root, self._rng = root, np.random.default_rng(_RNG_SEED)

    def photo(self, name: str, kind: int, side: int = SIDE) -> None:
        """Write noise with one bright channel, the class's."""
        pixels = self._rng.integers(0, 120, (side, side, 3))
        pixels[..., kind % 3] += 120
        self._save(name, pixels)

    def mask(self, name: str, values: Sequence[int], side: int = SIDE) -> None:
        """Write an upright stripe for each value."""
        self._save(name, np.tile(np.repeat(values, -(-side // len(values)))[:side], (side, 1)))

    def text(self, name: str, lines: Iterable[str]) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _save(self, name: str, pixels: np.ndarray) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_pets(root: Path, each: int = 12) -> Path:
    """Oxford-IIIT pets: classes in names, lists, trimaps, and the strays of its archives."""
    paint, rows = Painter(root), []
    for kind, breed in enumerate(("Abyssinian", "american_bulldog", "Egyptian_Mau")):
        for number in range(1, each + 1):
            paint.photo(f"images/{breed}_{number}.jpg", kind)
            paint.mask(f"annotations/trimaps/{breed}_{number}.png", (2, 3, 1, 1))
            paint.text(f"annotations/trimaps/._{breed}_{number}.png", ["of macOS"])
            paint.text(f"annotations/xmls/{breed}_{number}.xml", ["<annotation/>"])
            rows.append(f"{breed}_{number} {kind + 1} 1 {kind + 1}")
    paint.text("images/Abyssinian_1.mat", ["of MATLAB"])
    paint.text("annotations/README", ["trimaps, lists"])
    paint.text("annotations/list.txt", ["#Image CLASS-ID SPECIES BREED ID", "#ID: 1:37", *rows])
    paint.text("annotations/trainval.txt", rows[::2])
    paint.text("annotations/test.txt", rows[1::2])
    return root


def write_caltech(root: Path, each: int = 12) -> Path:
    """Caltech 101: a folder of class folders, beside one of outlines."""
    paint = Painter(root)
    for kind, name in enumerate(("BACKGROUND_Google", "accordion", "airplanes")):
        for number in range(1, each + 1):
            paint.photo(f"101_ObjectCategories/{name}/image_{number:04}.jpg", kind)
            paint.text(f"Annotations/{name}/annotation_{number:04}.mat", ["of MATLAB"])
    paint.text("show_annotation.m", ["% MATLAB"])
    return root


def write_kaggle(root: Path, each: int = 12) -> Path:
    """A Kaggle competition: a table of the images in `train/`, and `test/` without labels."""
    paint, rows = Painter(root), []
    for number in range(3 * each):
        paint.photo(f"train/{number:08x}.jpg", number)
        rows.append(f"{number:08x},{('beagle', 'collie', 'pug')[number % 3]}")
    for number in range(each):
        paint.photo(f"test/{number + 1000:08x}.jpg", number)
    paint.text("train.csv", ["id,label", *rows])
    answers = (f"{number + 1000:08x},beagle" for number in range(each))
    paint.text("sample_submission.csv", ["id,label", *answers])
    return root


def write_cityscapes(root: Path, each: int = 4, side: int = SIDE) -> Path:
    """Cityscapes: splits and cities, and for each image masks of three kinds."""
    paint = Painter(root)
    for split, cities in (("train", ("aachen", "bochum")), ("val", ("frankfurt",))):
        for city in cities:
            for number in range(each):
                stem = f"{city}_{number:06}_000019"
                paint.photo(f"leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png", number, side)
                place = f"gtFine/{split}/{city}/{stem}_gtFine"
                paint.mask(f"{place}_labelIds.png", (0, 7, 11, 23), side)
                paint.mask(f"{place}_instanceIds.png", (0, 7, 11, 23), side)
                paint.photo(f"{place}_color.png", 0, side)
                paint.text(f"{place}_polygons.json", ["{}"])
    return root


def write_isic(root: Path, patients: int = 30, each: int = 4) -> Path:
    """ISIC 2020: patients of several images, and few of them with a melanoma."""
    paint = Painter(root)
    rows = ["image_name,patient_id,sex,age_approx,diagnosis,benign_malignant,target"]
    for number in range(patients * each):
        patient = number // each
        ill = patient % 6 == 0
        paint.photo(f"train/ISIC_{number:07}.jpg", int(ill))
        told = "melanoma,malignant,1" if ill else "unknown,benign,0"
        rows.append(f"ISIC_{number:07},IP_{patient:07},male,45,{told}")
    paint.text("train.csv", rows)
    return root
