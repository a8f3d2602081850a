"""Test images as small inline images: who left at each exit, and who changed the answer."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.edge.segmenter import spaced_colours
from kdtasks.report.inputs import Arrays
from kdtasks.tasks.confusion import counted

LARGEST = 96  # longest side of an inline image, in pixels; larger ones are scaled down
UNLABELLED = (128, 128, 128)
# How bright right pixels are in an image of errors, and the colour of wrong ones.
RIGHT, WRONG = 0.35, (220, 30, 30)

# How much of a pixel the colour of its class covers; outlines cover all.
_TINT = 0.15
# Side from which a `lossy` inline image is a JPEG, in pixels.
_LOSSY_FROM = 48

# Fields of a patch and the arrays that they are drawn from.
_COMPARED = {"teacher": "teacher", "student": "student", "distilled": "distill"}


class Sample(NamedTuple):
    """One image and what became of it.

    Attributes:
        source: the image as a `data:` address.
        answer: what it was answered where it left.
        last: what the last exit answers.
        label: what it is.
    """

    source: str
    answer: str
    last: str
    label: str


def sample_strips(examples: Arrays, class_names: Sequence[str]) -> list[list[Sample]]:
    """Turn the arrays of `plots/examples/` into a strip an exit and one of changed answers.

    Args:
        examples: as `evaluate` wrote them; no answers by exit, no strips.
        class_names: name of each class; none where they are not known.
    """
    if "by_exit" not in examples or not class_names:
        return []
    exits = examples["by_exit"].shape[1]
    strips: list[list[Sample]] = [[] for _ in range(exits + 1)]
    for row, group in enumerate(examples["group"].tolist()):
        by_exit = examples["by_exit"][row]
        strips[group].append(
            Sample(
                source=image_address(examples["images"][row]),
                answer=class_names[by_exit[examples["exit_index"][row]]],
                last=class_names[by_exit[-1]],
                label=class_names[examples["labels"][row]],
            )
        )
    return strips


def unsure_images(unsure: Arrays, class_names: Sequence[str]) -> list[tuple[str, str, float]]:
    """Turn `plots/unsure.npz` into images, the teacher's answers and how sure it is of each."""
    if "images" not in unsure or not class_names:
        return []
    return [
        (image_address(image), class_names[answer], confidence)
        for image, answer, confidence in zip(
            unsure["images"],
            unsure["classes"].tolist(),
            unsure["confidence"].tolist(),
            strict=True,
        )
    ]


class Mistake(NamedTuple):
    """A wrong answer: the image as a `data:` address, its label, the answer and its confidence."""

    source: str
    label: str
    answer: str
    confidence: float


def worst_mistakes(
    examples: Arrays, class_names: Sequence[str]
) -> dict[tuple[str, str], list[Mistake]]:
    """Turn the mistakes of `plots/examples/` into images by label and answer, the surest first."""
    mistakes: dict[tuple[str, str], list[Mistake]] = {}
    if "mistakes" not in examples or not class_names:
        return mistakes
    for image, label, answer, confidence in zip(
        examples["mistakes"],
        examples["mistakes_labels"].tolist(),
        examples["mistakes_answers"].tolist(),
        examples["mistakes_confidence"].tolist(),
        strict=True,
    ):
        pair = class_names[label], class_names[answer]
        shown = Mistake(image_address(image, lossy=True), *pair, confidence)
        mistakes.setdefault(pair, []).append(shown)
    return mistakes


class AnswerDifference(NamedTuple):
    """An image as a `data:` address, its label, and what two models answer."""

    source: str
    label: str
    teacher: str
    student: str


class Differences(NamedTuple):
    """Images that two models answer differently: how many of each kind, and some of each."""

    counts: list[int]
    samples: dict[str, list[AnswerDifference]]


def differences(compared: Arrays, class_names: Sequence[str]) -> Differences | None:
    """Turn what `pick_differences` has picked into images; None where nothing was compared.

    Args:
        compared: arrays of `plots/compare.npz`.
        class_names: name of each class; none where they are not known.
    """
    if "counts" not in compared or not class_names:
        return None
    samples: dict[str, list[AnswerDifference]] = {
        "The teacher is right": [],
        "The student is right": [],
        "Neither is right": [],
    }
    teacher, student, neither = samples.values()
    for image, *classes in zip(
        *(compared[key] for key in ("images", "labels", "teacher", "distill")), strict=True
    ):
        label, taught, learnt = classes
        kind = teacher if taught == label else student if learnt == label else neither
        names = (class_names[index] for index in classes)
        kind.append(AnswerDifference(image_address(image, lossy=True), *names))
    return Differences(compared["counts"].tolist(), samples)


def image_address(pixels: np.ndarray, *, lossy: bool = False) -> str:
    """Give uint8 [height, width, 1 or 3] as the `data:` address of a PNG, the same every time.

    Args:
        lossy: whether a larger one may be a JPEG, a fraction of the size.
    """
    import PIL.Image  # heavy, and only needed here

    image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    if max(image.size) > LARGEST:
        image.thumbnail((LARGEST, LARGEST), PIL.Image.Resampling.LANCZOS)
    form = "jpeg" if lossy and max(image.size) > _LOSSY_FROM else "png"
    buffer = BytesIO()
    image.save(buffer, format=form, optimize=True, quality=80)
    return f"data:image/{form};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def photo_address(path: Path) -> str:
    """Give an image file as the `data:` address of a JPEG, a fraction of its size; "" without."""
    import PIL.Image

    if not path.is_file():
        return ""
    buffer = BytesIO()
    with PIL.Image.open(path) as image:
        image.convert("RGB").save(buffer, format="JPEG", quality=85, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


class Patch(NamedTuple):
    """One row of images, each as a `data:` address; None where a model has no answer.

    Attributes:
        image, mask: the patch and its labels.
        teacher, student, distilled, shipped: answers.
        errors: the patch with the shipped model's wrong pixels in red.
        right: fraction of the labelled pixels that the shipped model has right; None without any.
    """

    image: str
    mask: str
    teacher: str | None
    student: str | None
    distilled: str | None
    shipped: str
    errors: str
    right: float | None


def legend(class_names: Sequence[str], mask_values: Mapping[str, Any]) -> dict[str, str]:
    """Give the colour of every class as `#rrggbb`: the dataset's own, where its masks have some.

    Args:
        mask_values: class name to what stands for it in masks, a number or `#rrggbb`.
    """
    texts = [str(mask_values.get(name)) for name in class_names]
    if all(text.startswith("#") for text in texts):
        return dict(zip(class_names, texts, strict=True))
    colours = spaced_colours(len(class_names)).tolist()
    return {
        name: "#" + bytes(colour).hex() for name, colour in zip(class_names, colours, strict=True)
    }


def palette_of(colours: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Give the colour of every label, uint8 [256, 3]: of classes from 0, then of no class."""
    palette = np.full((256, 3), UNLABELLED, np.uint8)
    palette[: len(colours)] = [list(bytes.fromhex(colour[1:])) for colour in colours]
    return palette


def overlaid(images: np.ndarray, masks: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Tint images, uint8 [N, height, width, …], by their masks and draw the outlines of these."""
    colours = palette[masks].astype(np.float32)
    edges = np.zeros(masks.shape, bool)
    edges[:, :-1] |= masks[:, :-1] != masks[:, 1:]
    edges[:, :, :-1] |= masks[:, :, :-1] != masks[:, :, 1:]
    cover = np.where(edges, 1.0, _TINT)[..., np.newaxis]
    return np.rint((1.0 - cover) * images + cover * colours).astype(np.uint8)


def mask_patches(
    examples: Arrays, compared: Arrays, colours: Sequence[str], ignore_label: int | None
) -> list[Patch]:
    """Draw the patches that `evaluate` and `compare` have kept.

    Args:
        examples: arrays of `plots/examples/<variant>.npz` of the variant that is shown.
        compared: arrays of `plots/compare.npz`, answers to the same patches; none is fine.
        colours: of the classes, `#rrggbb`.
        ignore_label: label of pixels that are not labelled.
    """
    if "predicted" not in examples:
        return []
    palette = palette_of(colours)
    same_rows = compared if np.array_equal(compared.get("rows", []), examples["rows"]) else {}
    patches = []
    for row, (image, labels, shipped) in enumerate(
        zip(examples["images"], examples["labels"], examples["predicted"], strict=True)
    ):
        counts = counted(labels, ignore_label)
        wrong = counts & (labels != shipped)
        answers = {
            field: image_address(palette[compared[name][row]]) if name in same_rows else None
            for field, name in _COMPARED.items()
        }
        patches.append(
            Patch(
                image=image_address(image),
                mask=image_address(palette[labels]),
                shipped=image_address(palette[shipped]),
                errors=image_address(_errors(image, wrong)),
                right=float(1 - wrong.sum() / counts.sum()) if counts.any() else None,
                **answers,
            )
        )
    return patches


def _errors(image: npt.NDArray[np.uint8], wrong: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    grey = image.mean(axis=-1, keepdims=True) * RIGHT + 255 * (1 - RIGHT)
    faded = np.broadcast_to(grey, (*wrong.shape, 3)).astype(np.uint8)
    return np.where(wrong[..., None], np.array(WRONG, np.uint8), faded)
