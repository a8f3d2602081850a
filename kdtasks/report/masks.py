"""Test patches beside their masks: what each model says of them, and where it is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.edge.colours import spaced_colours
from kdtasks.report.contents import Arrays
from kdtasks.report.samples import picture_address

UNLABELLED = (128, 128, 128)
RIGHT, WRONG = 0.35, (220, 30, 30)
"""How bright right pixels are in a picture of errors, and the colour of wrong ones."""

# Fields of a patch and the arrays that they are drawn from.
_COMPARED = {"teacher": "teacher", "student": "student", "distilled": "distill"}


class Patch(NamedTuple):
    """One row of pictures, each as a `data:` address; None where a model has no answer.

    Attributes:
        picture, mask: the patch and its labels.
        teacher, student, distilled, shipped: answers.
        errors: the patch with the shipped model's wrong pixels in red.
        right: share of the labelled pixels that the shipped model has right; None without labels.
    """

    picture: str
    mask: str
    teacher: str | None
    student: str | None
    distilled: str | None
    shipped: str
    errors: str
    right: float | None


def legend(class_names: Sequence[str], mask_values: Mapping[str, Any]) -> dict[str, str]:
    """Give the colour of every class as `#rrggbb`: the dataset's own, where its masks have some.

    Arguments:
        mask_values: class name to what stands for it in masks, a number or `#rrggbb`.
    """
    texts = [str(mask_values.get(name)) for name in class_names]
    if all(text.startswith("#") for text in texts):
        return dict(zip(class_names, texts, strict=True))
    colours = spaced_colours(len(class_names)).tolist()
    return {
        name: "#" + bytes(colour).hex() for name, colour in zip(class_names, colours, strict=True)
    }


def mask_patches(
    examples: Arrays, compared: Arrays, colours: Sequence[str], ignore_label: int | None
) -> list[Patch]:
    """Draw the patches that `evaluate` and `compare` have kept.

    Arguments:
        examples: arrays of `plots/examples/<variant>.npz` of the variant that is shown.
        compared: arrays of `plots/compare.npz`, answers to the same patches; none is fine.
        colours: of the classes, `#rrggbb`.
        ignore_label: label of pixels that are not labelled.
    """
    if "predicted" not in examples:
        return []
    palette = np.full((256, 3), UNLABELLED, np.uint8)
    palette[: len(colours)] = [list(bytes.fromhex(colour[1:])) for colour in colours]
    same = np.array_equal(compared.get("rows", []), examples["rows"])
    patches = []
    for row, (image, labels, shipped) in enumerate(
        zip(examples["images"], examples["labels"], examples["predicted"], strict=True)
    ):
        counts = labels != (-1 if ignore_label is None else ignore_label)
        wrong = counts & (labels != shipped)
        answers = {
            field: picture_address(palette[compared[name][row]]) if same else None
            for field, name in _COMPARED.items()
        }
        patches.append(
            Patch(
                picture=picture_address(image),
                mask=picture_address(palette[labels]),
                shipped=picture_address(palette[shipped]),
                errors=picture_address(_errors(image, wrong)),
                right=float(1 - wrong.sum() / counts.sum()) if counts.any() else None,
                **answers,
            )
        )
    return patches


def _errors(image: npt.NDArray[np.uint8], wrong: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    grey = image.mean(axis=-1, keepdims=True) * RIGHT + 255 * (1 - RIGHT)
    faded = np.broadcast_to(grey, (*wrong.shape, 3)).astype(np.uint8)
    return np.where(wrong[..., None], np.array(WRONG, np.uint8), faded)
