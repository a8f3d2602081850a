"""Photos without labels, and a teacher that tells the bright ones with a limit of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.params import Params, load_params

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
CLASSES = ("dark", "bright")
# Beyond it the teacher calls an image bright; what is bright indeed begins at 128.
TEACHERS_LIMIT = 100


def params_of(*, test: str | None = None, **changes: dict[str, Any]) -> Params:
    content = load_params(RECIPE).model_dump()
    content["seeds"] = [0]
    content["data"] |= {
        "source": {"name": "unlabelled_folder", "classes": CLASSES, "test": test},
        "path": "photos",
        "unlabelled": "drawer",
        "train_labels": None,
        "image_size": [8, 8],
        "channels": 1,
        "near_copies": False,
    }
    content["augmentation"] = {"views": 1, "transforms": []}
    content["teacher"] |= {"source": "logits", "path": "answers.npz"}
    model = {"name": "cnn", "filters": [4, 4]}
    content["student"] |= {"model": model, "exits": ["block_1"], "start": "start"}
    content["distill"] |= {"epochs": 8, "hints": [], "arms": []}
    content["train"] |= {"batch_size": 8, "guard_epochs": 50}
    content["exits"] |= {"mode": "cost", "max_cost": 0.9, "grid": 11}
    content["compress"] |= {"variants": ["float32"], "representative_images": 8}
    content["evaluate"]["bootstrap_samples"] = 20
    content["benchmark"] |= {"images": 4, "rounds": 1, "warmup": 1}
    content["select"] |= {"max_accuracy_drop": None, "max_agreement_drop": 1.0}
    if test is None:
        content["gate"] |= {"max_accuracy_drop": None, "max_agreement_drop": 0.02}
    for section, keys in changes.items():
        content[section] |= keys
    return Params.model_validate(content)


def level_of(name: str) -> int:
    first, second = Path(name).stem.split("-")
    return int(first if name.startswith("trip") else second)


def write_answers() -> None:
    """Answer every photo: by its level, and bright from `TEACHERS_LIMIT`."""
    names = [path.relative_to("photos").as_posix() for path in Path("photos").rglob("*.png")]
    levels = np.array([level_of(name) for name in names])
    lead = (levels - TEACHERS_LIMIT + 0.5) / 20
    rows = np.stack([-lead, lead], axis=-1).astype(np.float32)
    np.savez("answers.npz", names=np.array(names), logits=rows, classes=np.array(CLASSES))


def write_network(size: int = 8) -> None:
    """The same teacher as a network."""
    from kdtasks.core.backend import keras

    network = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    weight = 255 / 20
    bias = TEACHERS_LIMIT / 20
    network.set_weights([np.array([[-weight, weight]]), np.array([bias, -bias])])
    with pytest.warns(UserWarning, match="HDF5"):
        network.save("teacher.h5")
