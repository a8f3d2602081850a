"""Label the pixels of pictures with a bundle: a mask, the share of each class and the time."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdtasks.cli.images import find_pictures, read_whole
from kdtasks.core.errors import DatasetError
from kdtasks.core.files import atomic_file
from kdtasks.edge.images import SUFFIXES, fit_picture
from kdtasks.edge.segmenter import Segmenter, class_colours


class Labelled(NamedTuple):
    """What became of one picture: its size, shares and time, or a problem.

    Attributes:
        picture: its path.
        size: height and width.
        shares: [classes], of all pixels.
        milliseconds: of the prediction alone.
        mask: where it was written, or None.
        problem: why there is no answer, or None.
    """

    picture: str
    size: tuple[int, int] = (0, 0)
    shares: tuple[float, ...] = ()
    milliseconds: float = 0.0
    mask: Path | None = None
    problem: str | None = None


def predict_masks(
    bundle: Path,
    names: Sequence[str],
    *,
    out: Path | None = None,
    overlay: bool = False,
    threads: int = 1,
    as_json: bool = False,
) -> int:
    """Label every picture, write its mask, print a table or JSON; give the exit status.

    A mask is a `.png` of class indices with the classes' colours as its palette, or an `.npy`.

    Arguments:
        bundle: folder of a bundle of segmentation.
        names: as for `find_pictures`.
        out: file of the mask where there is one picture, or a folder where each is called as its
            picture; None writes nothing.
        overlay: write the colours half over the picture in place of the mask.
        threads: of the LiteRT interpreter.
        as_json: print one list of objects in place of the table.

    Raises:
        BundleError: the bundle cannot be used.
        DatasetError: `out` cannot hold the masks.
    """
    segmenter = Segmenter(bundle, threads)
    found = list(find_pictures(names))
    targets = _targets([picture for picture, problem in found if not problem], out, overlay)
    labelled = list(_labelled(segmenter, found, targets, overlay))
    if as_json:
        class_names = segmenter.manifest.class_names
        objects = [_as_object(each, class_names) for each in labelled]
        print(json.dumps(objects, indent=2, ensure_ascii=False))
    else:
        _print_table(segmenter, [each for each in labelled if not each.problem])
    failed = [each for each in labelled if each.problem]
    for each in failed:
        print(f"error: {each.picture}: {each.problem}", file=sys.stderr)
    return 1 if failed else 0


def _targets(pictures: Sequence[str], out: Path | None, overlay: bool) -> dict[str, Path]:
    """Name the mask of every picture.

    Raises:
        DatasetError: two masks, or a mask and a picture, would be one file; or the file's suffix
            is none of a mask's.
    """
    if out is None:
        if overlay:
            raise DatasetError("--overlay draws into a file; say into which one with --out")
        return {}
    suffix = out.suffix.lower()
    known = (".png",) if overlay else (".png", ".npy")
    if out.is_dir() or suffix not in SUFFIXES | {".npy"}:
        targets = {picture: out / f"{Path(picture).stem}.png" for picture in pictures}
    elif suffix not in known:
        raise DatasetError(
            f"--out is {out}; {' or '.join(known)} was expected: other formats change or cannot "
            "hold what is written"
        )
    elif len(pictures) > 1:
        raise DatasetError(
            f"--out is the file {out}, and there are {len(pictures)} pictures; give a folder"
        )
    else:
        targets = dict.fromkeys(pictures, out)
    owners = {Path(picture).resolve(): picture for picture in pictures}
    for picture, target in targets.items():
        owner = owners.setdefault(target.resolve(), f"the mask of {picture}")
        if owner != f"the mask of {picture}":
            raise DatasetError(
                f"the mask of {picture} would be written to {target}, which is {owner}; give "
                "another --out, or fewer pictures at once"
            )
    return targets


def _labelled(
    segmenter: Segmenter,
    found: Sequence[tuple[str, str | None]],
    targets: dict[str, Path],
    overlay: bool,
) -> Iterator[Labelled]:
    shape = segmenter.segments.input_shape
    colours = class_colours(segmenter.manifest)
    # LiteRT sets the model up when it first runs, which is no part of a prediction's time.
    segmenter.logits(np.zeros((1, *shape), np.uint8))
    for picture, problem in found:
        if problem:
            yield Labelled(picture, problem=problem)
            continue
        target = targets.get(picture)
        try:
            pixels = read_whole(Path(picture), shape[2])
            start = time.perf_counter_ns()
            classes = _classes(segmenter, pixels)
            milliseconds = (time.perf_counter_ns() - start) / 1e6
            if target is not None:
                _write(target, _overlaid(pixels, classes, colours) if overlay else classes, colours)
        except DatasetError as error:
            yield Labelled(picture, problem=str(error))
            continue
        except OSError as error:
            yield Labelled(picture, problem=f"its mask cannot be written ({error})")
            continue
        counts = [np.count_nonzero(classes == index) for index in range(len(colours))]
        shares = tuple(count / classes.size for count in counts)
        yield Labelled(picture, classes.shape, shares, milliseconds, target)


def _classes(segmenter: Segmenter, pixels: np.ndarray) -> np.ndarray:
    """Answer in the picture's size, having looked at it in the size that training pictures had."""
    data = segmenter.manifest.parameters.get("data") or {}
    if not data.get("image_size"):
        return segmenter.predict(pixels)
    # Reading masks needs more than the base install, as resizing does.
    from kdtasks.data.masks import resize_mask

    height, width = data["image_size"]
    fitted = fit_picture(pixels, image_size=(height, width), channels=pixels.shape[-1])
    return resize_mask(segmenter.predict(fitted), pixels.shape[:2])


def _overlaid(pixels: np.ndarray, classes: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Half of the picture and half of the colour: uint8 [height, width, 3]."""
    return (pixels >> 1) + (colours >> 1)[classes]


def _write(path: Path, content: np.ndarray, colours: np.ndarray) -> None:
    """Write class indices [height, width], or RGB [height, width, 3], by the path's suffix."""
    with atomic_file(path) as partial:
        if path.suffix.lower() == ".npy":
            np.save(partial, content)
            return
        import PIL.Image

        image = PIL.Image.fromarray(content)
        if content.ndim == 2:
            image.putpalette(colours.tobytes())
        image.save(partial)


def _as_object(labelled: Labelled, class_names: Sequence[str]) -> dict[str, Any]:
    if labelled.problem:
        return {"picture": labelled.picture, "error": labelled.problem}
    return {
        "picture": labelled.picture,
        "size": list(labelled.size),
        "shares": dict(zip(class_names, labelled.shares, strict=True)),
        "milliseconds": labelled.milliseconds,
        "mask": None if labelled.mask is None else str(labelled.mask),
    }


def _print_table(segmenter: Segmenter, labelled: Sequence[Labelled]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("picture", overflow="fold")
    table.add_column("size", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("share of each class", overflow="fold")
    for each in labelled:
        shares = zip(segmenter.manifest.class_names, each.shares, strict=True)
        told = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares if share)
        size = f"{each.size[1]}×{each.size[0]}"
        table.add_row(Text(each.picture), size, f"{each.milliseconds:.1f} ms", Text(told))
    if labelled:
        Console().print(table)
    written = [each.mask for each in labelled if each.mask]
    if len(written) == 1:
        print(f"written: {written[0]}")
    elif written:
        print(f"written: {len(written)} masks in {written[0].parent}")
