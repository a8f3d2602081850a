"""Choose params for images and a teacher: a student, its images, its epochs, the split.

What is chosen is a start that trains within an hour or so on two cores; `params.yaml` has it all.
"""

import math
import re
from typing import Any

from kdtasks.orchestrate.create.images import InspectedImages
from kdtasks.orchestrate.create.teacher import InspectedTeacher
from kdtasks.params.write import Overlay

# Height and width of a student's images: the largest that most images reach, and that a small
# dataset is trained on in reasonable time. Smaller images stay as they are where all are alike.
_SIDES, _LARGE = (32, 48, 64, 96), 20_000
_PATCHES = (32, 64, 128)
# Steps that a student learns in, and the least and the most epochs that come of it.
_STEPS, _EPOCHS, _BATCH = 3_000, (8, 80), 64
_NAME = 64


def name_of(text: str) -> str:
    """Make a model's name of a folder's: lower case, digits, `.`, `_` and `-`."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    return name[:_NAME] or "student"


def image_size_of(images: InspectedImages) -> tuple[int, int]:
    """Choose the height and width of a student's images; of masks, of their patches."""
    if images.is_segmentation:
        side = max((size for size in _PATCHES if size <= images.side), default=16)
        return side, side
    low, high = images.sizes.min(axis=0), images.sizes.max(axis=0)
    if (low == high).all() and max(high) <= _SIDES[-1]:
        return int(high[0]), int(high[1])
    sides = _SIDES[:-1] if len(images.items) > _LARGE else _SIDES
    side = max((size for size in sides if size <= images.side), default=max(images.side, 8))
    return side, side


def channels_of(images: InspectedImages) -> int:
    """Choose the channels of a student's images."""
    return 1 if images.is_grey else 3


def choose(name: str, images: InspectedImages, teacher: InspectedTeacher | None) -> Overlay:
    """Give what differs from the defaults, as a recipe says it; paths are yet to come.

    Args:
        name: of the project.
        images: as of `inspect_images`.
        teacher: as of `inspect_teacher`; None has one trained.
    """
    size, channels = image_size_of(images), channels_of(images)
    if teacher and teacher.size:  # nothing teaches what only a larger image shows
        size = (min(size[0], teacher.size[0]), min(size[1], teacher.size[1]))
    source = images.source.model_dump(mode="json", exclude_defaults=True) | {
        "name": images.source.name
    }
    data: Overlay = {"source": source, "channels": channels, "split": _split(images)}
    if images.bad:
        data["on_bad"] = "skip"
    if images.is_segmentation:
        size = teacher.size if teacher and teacher.size else size
        data["channels"] = teacher.channels if teacher else channels
        source["patch_size"] = size[0]
    else:
        data["image_size"] = list(size)
    student, exits = _student(images, min(size))
    content: Overlay = {
        "recipe": name,
        "seeds": [0, 1, 2],
        "data": data,
        "augmentation": {"transforms": _transforms(images, min(size))},
        "teacher": _teacher(images, teacher, size, channels),
        "student": {"model": student, "exits": exits, "learning_rate": 0.003},
        "distill": {"temperature": 2.0, "epochs": _epochs(images, data["split"]["train"])},
        "compress": {"variants": ["float32", "int8"], "learning_rate": 0.002},
        "export": {"name": name},
        "select": {"max_accuracy_drop": 0.02},
    }
    if images.is_uneven:
        content["evaluate"] = {"metric": "balanced_accuracy"}
        content["train"] = {"class_balance": "weights"}
    if images.is_segmentation:
        content["train"] = {
            "batch_size": 16,
            "loss": {
                "terms": [
                    {"name": "cross_entropy", "weight": 1.0},
                    {"name": "dice", "weight": 1.0},
                ]
            },
        }
    return content


def _split(images: InspectedImages) -> dict[str, float]:
    """Few images need many to be judged by; of many, a small fraction is enough."""
    count = len(images.items)
    if count < 1_000:
        return {"train": 0.55, "validation": 0.15, "calibration": 0.1, "test": 0.2}
    if count < 20_000:
        return {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
    return {"train": 0.8, "validation": 0.05, "calibration": 0.05, "test": 0.1}


def _epochs(images: InspectedImages, fraction: float) -> int:
    least, most = _EPOCHS
    steps = math.ceil(len(images.items) * fraction / _BATCH)
    return min(max(round(_STEPS / steps), least), most)


def _transforms(images: InspectedImages, side: int) -> str | list[Any]:
    """Photos may be mirrored; grey and small images may be of digits or signs."""
    if images.is_segmentation:
        return [
            {"name": "rotation", "degrees": 15.0},
            {"name": "zoom", "fraction": 0.1},
            {"name": "shift", "fraction": 0.05},
            {"name": "horizontal_flip", "probability": 0.5},
        ]
    return "light" if images.is_grey or side < _SIDES[0] else "photo"


def _student(images: InspectedImages, side: int) -> tuple[Overlay, list[str]]:
    """A U-Net for masks, a chain of convolutions for small images, or inverted residuals."""
    if images.is_segmentation:
        return {"name": "unet", "filters": [4, 8, 16, 32, 64][: _depths(side)]}, []
    if side < _SIDES[-1]:
        filters = [16, 32, 64, 128][: _halvings(side, 4)]
        model = {"name": "cnn", "filters": filters, "downsampling": "strides"}
        return model, [f"block_{len(filters) - 1}"] if len(filters) > 1 else []
    filters, strides = [16, 24, 32, 48, 64, 96], [2, 2, 1, 2, 1, 2]
    return {"name": "mobilenet", "stem": 16, "filters": filters, "strides": strides}, ["block_4"]


def _teacher(
    images: InspectedImages, teacher: InspectedTeacher | None, size: tuple[int, int], channels: int
) -> Overlay:
    if teacher is None:
        filters = [32, 64, 128, 256]
        model: Overlay
        if images.is_segmentation:
            model = {"name": "unet", "filters": [16, *filters][: _depths(size[0])]}
            return {"source": "train", "model": model, "epochs": 40, "learning_rate": 0.002}
        model = {"name": "cnn", "filters": filters[: _halvings(min(size), 4)]}
        return {
            "source": "train",
            "model": model | {"convolutions": 2, "dropout": 0.2},
            "epochs": 40,
        }
    content, image_form = dict(teacher.settings), dict(teacher.settings.get("input", {}))
    if not images.is_segmentation:
        if teacher.size and teacher.size != size:
            image_form["size"] = list(teacher.size)
        if teacher.channels != channels:
            image_form["channels"] = teacher.channels
    if image_form:
        content["input"] = image_form
    return content


def _halvings(side: int, most: int) -> int:
    """Blocks that halve a side and leave four pixels, or one block."""
    return min(max(int(math.log2(side / 4)), 1), most)


def _depths(side: int) -> int:
    """Depths of a U-Net, each but the first half as high and wide as the one before."""
    halved = next(times for times in range(5) if times == 4 or side % 2 ** (times + 1))
    return max(min(halved + 1, _halvings(side, 5)), 2)
