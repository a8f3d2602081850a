"""Synthetic photos with masks in colours: dark ground, bright squares, a red stripe."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = {"ground": "#0A141E", "square": "#C8C800", "stripe": "#0000FA"}
UNLABELLED = "#9B9B9B"


def write_photos(folder: Path, *, count: int = 10, seed: int = 0) -> None:
    """Write `images/` and `masks/`: photos of 32×32 or 32×48, whose first row is unlabelled."""
    draw = np.random.default_rng(seed)
    palette = np.array(
        [list(bytes.fromhex(text[1:])) for text in (*CLASSES.values(), UNLABELLED)], np.uint8
    )
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        height, width = 32, 32 + 16 * (number % 2)
        mask = np.zeros((height, width), np.uint8)
        for _ in range(2):
            top, left = draw.integers(0, height - 12), draw.integers(0, width - 12)
            mask[top : top + 12, left : left + 12] = 1
        top = draw.integers(2, height - 6)
        mask[top : top + 5] = 2
        colours = np.array([[60, 60, 60], [210, 210, 200], [220, 40, 40]])[mask]
        photo = np.clip(colours + draw.normal(0, 12, colours.shape), 0, 255).astype(np.uint8)
        mask[0] = 3
        Image.fromarray(photo).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(palette[mask]).save(folder / "masks" / f"{number:02}.png")


def mask_params(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Turn the content of a recipe of classification into a tiny one of these photos."""
    unet = {"name": "unet", "dropout": 0.0, "batch_normalization": True}
    return content | {
        "recipe": "masks",
        "seeds": [0, 1],
        "data": content["data"]
        | {
            "source": {
                "name": "segmentation_folder",
                "classes": CLASSES,
                "ignore": [UNLABELLED],
                "patch_size": 16,
            },
            "path": str(folder),
            "train_labels": None,
            "split": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2},
        },
        "augmentation": {"views": 2, "transforms": ["horizontal_flip"]},
        "train": {
            "batch_size": 8,
            "guard_epochs": 50,
            "class_balance": "weights",
            "loss": {"terms": ["cross_entropy", "dice"]},
        },
        "teacher": {
            "source": "train",
            "model": unet | {"filters": [8, 16]},
            "epochs": 6,
            "learning_rate": 0.01,
        },
        "targets": {"top_k": 2},
        "student": {"model": unet | {"filters": [4, 6]}, "learning_rate": 0.01},
        "distill": {"epochs": 6},
        "compress": content["compress"]
        | {"variants": ["float32", "int8"], "representative_images": 8},
        "evaluate": {"bootstrap_samples": 100},
        "benchmark": {"images": 2, "rounds": 3, "warmup": 1, "targets": ["nnapi"]},
    }
