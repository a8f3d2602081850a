"""Pictures and masks paired by the stem of their names, cut into patches."""

from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.masks import Palette, patch_corners, read_mask, read_palette
from kdtasks.data.settings import DataParams, SegmentationParams
from kdtasks.data.source import Problem, Source, origin_of, require_folder, visible_entries
from kdtasks.data.split import choose_rows
from kdtasks.edge.images import fit_picture, read_picture, resize_mask, strict_decoding

Pair = tuple[Path, Path, np.ndarray]


def load_segmentation_folder(params: DataParams) -> Source:
    """Read pictures and masks and cut them; whatever is wrong is listed in `Source.problems`.

    `max_images` counts whole pictures, chosen by the rarest class in their masks; `image_size`
    resizes whole pictures before they are cut. Patches without a labelled pixel are left out.

    Raises:
        DatasetError: a folder is missing, the palette is wrong, or `max_images` is too small.
    """
    settings = params.segmentation
    if settings is None:
        raise DatasetError("data.segmentation is null; segmentation_folder needs it")
    if params.image_size is not None and min(params.image_size) < settings.patch_size:
        raise DatasetError(
            f"data.image_size {list(params.image_size)} is smaller than a patch of "
            f"{settings.patch_size}; lower data.segmentation.patch_size"
        )
    root = require_folder(Path(params.path), "the folder of pictures and masks")
    palette = read_palette(settings)
    problems: list[Problem] = []
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    origins: list[str] = []
    groups: list[int] = []
    with strict_decoding():
        pairs = _read_masks(root, settings, palette, problems)
        strata = _rarest_class([mask for _, _, mask in pairs], len(palette.class_names))
        chosen = choose_rows(strata, params.max_images, seed=params.seed, needed=4)
        for group, pair in enumerate(pairs[row] for row in chosen):
            origin = origin_of(pair[0], root)
            try:
                image, mask = _read_pair(pair, params, settings.patch_size, root)
            except DatasetError as error:
                problems.append(Problem(origin, str(error)))
                continue
            size = settings.patch_size
            height, width = mask.shape
            for top, left in patch_corners(height, width, size, settings.overlap):
                images.append(image[top : top + size, left : left + size])
                labels.append(mask[top : top + size, left : left + size])
                origins.append(f"{origin}[{top}:{top + size}, {left}:{left + size}]")
                groups.append(group)
    shape = (len(images), settings.patch_size, settings.patch_size)
    source = Source(
        task="segmentation",
        images=np.array(images, np.uint8).reshape(*shape, params.channels or 3),
        labels=np.array(labels, np.uint8).reshape(shape),
        class_names=palette.class_names,
        origins=tuple(origins),
        ignore_label=palette.ignore_label,
        problems=tuple(sorted(problems)),
        groups=np.array(groups, np.int64),
    )
    unlabelled = np.flatnonzero(source.class_weights().sum(axis=1) == 0)
    return source.leave_out(dict.fromkeys(unlabelled.tolist(), "no labelled pixel"), fault=False)


def _read_masks(
    root: Path, settings: SegmentationParams, palette: Palette, problems: list[Problem]
) -> list[Pair]:
    pictures = _by_stem(root, settings.images, "picture", problems)
    masks = _by_stem(root, settings.masks, "mask", problems)
    for stem in sorted(pictures.keys() - masks.keys()):
        problems.append(Problem(origin_of(pictures[stem], root), "a picture without a mask"))
    for stem in sorted(masks.keys() - pictures.keys()):
        problems.append(Problem(origin_of(masks[stem], root), "a mask without a picture"))
    pairs = []
    for stem in sorted(pictures.keys() & masks.keys()):
        try:
            pairs.append((pictures[stem], masks[stem], read_mask(masks[stem], palette)))
        except DatasetError as error:
            problems.append(Problem(origin_of(masks[stem], root), str(error)))
    return pairs


def _by_stem(root: Path, name: str, what: str, problems: list[Problem]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in visible_entries(require_folder(root / name, f"the folder of {what}s")):
        if path.is_dir():
            problems.append(Problem(origin_of(path, root), f"a folder, a {what} was expected"))
        elif path.stem in files:
            first = origin_of(files[path.stem], root)
            problems.append(Problem(origin_of(path, root), f"named like {first}"))
        else:
            files[path.stem] = path
    return files


def _read_pair(
    pair: Pair, params: DataParams, patch_size: int, root: Path
) -> tuple[np.ndarray, np.ndarray]:
    path, mask_path, mask = pair
    channels = params.channels or 3
    image = read_picture(path, image_size=None, channels=channels)
    height, width = image.shape[:2]
    if mask.shape != (height, width):
        raise DatasetError(
            f"{height}×{width} pixels, its mask {origin_of(mask_path, root)} has "
            f"{mask.shape[0]}×{mask.shape[1]}; resize one to the other"
        )
    if params.image_size is not None:
        image = fit_picture(image, image_size=params.image_size, channels=channels)
        mask = resize_mask(mask, params.image_size)
    if min(mask.shape) < patch_size:
        raise DatasetError(f"{height}×{width} pixels, smaller than a patch of {patch_size}")
    return image, mask


def _rarest_class(masks: list[np.ndarray], num_classes: int) -> np.ndarray:
    """For each mask, its class that the fewest masks hold; `num_classes` where it has none."""
    present = np.array([np.bincount(mask.reshape(-1), minlength=256) > 0 for mask in masks])
    present = present.reshape(len(masks), 256)[:, :num_classes]
    masks_with = np.where(present, present.sum(axis=0), len(masks) + 1)
    return np.where(present.any(axis=1), masks_with.argmin(axis=1), num_classes)
