"""Where the masks of a command line go, and how they are written."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.files import atomic_file
from kdtasks.edge.formats import SUFFIXES
from kdtasks.edge.segmenter import MaskPrediction, class_colours


def mask_targets(images: Sequence[str], out: Path | None, overlay: bool) -> dict[str, Path]:
    """Name the mask of every image.

    Args:
        images: paths.
        out: file of the mask where there is one image, or a folder where each is called as its
            image; None for no masks.
        overlay: whether colours are drawn over the image, which takes a `.png`.

    Raises:
        DatasetError: two masks, or a mask and an image, would be one file; or the file's suffix
            is none of a mask's.
    """
    if out is None:
        if overlay:
            raise DatasetError("--overlay draws into a file; say into which one with --out")
        return {}
    suffix = out.suffix.lower()
    known = (".png",) if overlay else (".png", ".npy")
    if out.is_dir() or suffix not in SUFFIXES | {".npy"}:
        targets = {image: out / f"{Path(image).stem}.png" for image in images}
    elif suffix not in known:
        raise DatasetError(
            f"--out is {out}; {' or '.join(known)} was expected: other formats change or cannot "
            "hold what is written"
        )
    elif len(images) > 1:
        raise DatasetError(
            f"--out is the file {out}, and there are {len(images)} images; give a folder"
        )
    else:
        targets = dict.fromkeys(images, out)
    owners = {Path(image).resolve(): image for image in images}
    for image, target in targets.items():
        owner = owners.setdefault(target.resolve(), f"the mask of {image}")
        if owner != f"the mask of {image}":
            raise DatasetError(
                f"the mask of {image} would be written to {target}, which is {owner}; give "
                "another --out, or fewer images at once"
            )
    return targets


def write_mask(path: Path, prediction: MaskPrediction, under: np.ndarray | None) -> None:
    """Write class indices as a `.png` with the classes' colours as its palette, or as an `.npy`.

    Args:
        path: its suffix says which.
        prediction: the mask.
        under: uint8 [height, width, 1 or 3], the image that half of the colours are drawn over;
            None for the mask alone.
    """
    with atomic_file(path) as partial:
        if path.suffix.lower() == ".npy":
            np.save(partial, prediction.mask)
        elif under is None:
            prediction.image.save(partial)
        else:
            import PIL.Image

            over = (class_colours(prediction.manifest) >> 1)[prediction.mask]
            PIL.Image.fromarray((under >> 1) + over).save(partial)
