"""Answer images with a bundle: the class, confidence, exit and time of each, or its mask."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdtasks.cli.images import find_images, read_fitted
from kdtasks.cli.masks import mask_targets, write_mask
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.classifier import ClassPrediction
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.segmenter import MaskPrediction


class PredictOptions(NamedTuple):
    """How to predict.

    Attributes:
        thresholds: as for `load_predictor`.
        out: where masks go, a file or a folder.
        overlay: whether the mask is drawn over the image.
        threads: of the LiteRT interpreter.
        as_json: print one list of objects in place of the table.
    """

    thresholds: Sequence[float] | None = None
    out: Path | None = None
    overlay: bool = False
    threads: int = 1
    as_json: bool = False


class Answer(NamedTuple):
    """What became of one image.

    Attributes:
        image: its path.
        content: the prediction as JSON.
        cells: the prediction in the table, by heading.
        exit_index: the exit that answered.
        milliseconds: of the prediction alone.
        mask: where it was written, or None.
    """

    image: str
    content: dict[str, Any]
    cells: dict[str, str]
    exit_index: int
    milliseconds: float
    mask: Path | None


class Failure(NamedTuple):
    """An image without an answer, and why."""

    image: str
    problem: str


def run_predict(bundle: Path, names: Sequence[str], options: PredictOptions) -> int:
    """Answer every image, write its mask, print a table or JSON; give the exit status.

    An image that cannot be read is named on standard error, the others go on, and the status is 1.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        names: as for `find_images`.

    Raises:
        BundleError: the bundle cannot be used or is a folder of bundles, or an option is not for
            its task.
        DatasetError: `options.out` cannot hold the masks.
    """
    open_bundle(bundle)
    predictor = load_predictor(bundle, options.thresholds, options.threads)
    if not predictor.per_pixel and (options.out is not None or options.overlay):
        raise BundleError(
            f"{bundle} tells the class of whole images; --out and --overlay are for masks, leave "
            "them out"
        )
    found = list(find_images(names))
    images = [image for image, problem in found if not problem]
    targets = mask_targets(images, options.out, options.overlay)
    results = list(_results(predictor, found, targets, options.overlay))
    answers = [one for one in results if isinstance(one, Answer)]
    if options.as_json:
        print(json.dumps([_as_object(one) for one in results], indent=2, ensure_ascii=False))
    elif answers:
        _print_table(answers, predictor.segments.count)
    failures = [one for one in results if isinstance(one, Failure)]
    for image, problem in failures:
        print(f"error: {image}: {problem}", file=sys.stderr)
    return 1 if failures else 0


def parse_thresholds(text: str | None) -> list[float] | None:
    """Read thresholds written as `0.9,0.8`.

    Raises:
        BundleError: one is no number.
    """
    if text is None:
        return None
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise BundleError(
            f"--thresholds is {text!r}; numbers with commas between them were expected, one for "
            "each exit but the last: --thresholds 0.9,0.8"
        ) from None


@singledispatch
def cells_of(prediction: Any, exits: int) -> dict[str, str]:
    """Write a prediction of a model with so many exits as cells of a table, by heading."""
    raise NotImplementedError(f"no table shows a {type(prediction).__name__}")


@cells_of.register
def _(prediction: ClassPrediction, exits: int) -> dict[str, str]:
    return {
        "label": prediction.label,
        "confidence": f"{prediction.confidence * 100:.1f} %",
        "exit": f"{prediction.exit_index + 1} of {exits}",
    }


@cells_of.register
def _(prediction: MaskPrediction, exits: int) -> dict[str, str]:
    height, width = prediction.mask.shape
    counts = zip(prediction.manifest.class_names, prediction.pixels.tolist(), strict=True)
    told = [f"{name} {100 * count / prediction.mask.size:.1f} %" for name, count in counts if count]
    return {
        "size": f"{width}×{height}",
        "confidence": f"{prediction.confidence * 100:.1f} %",
        "fraction of each class": ", ".join(told),
    }


def _results(
    predictor: Predictor,
    found: Sequence[tuple[str, str | None]],
    targets: dict[str, Path],
    overlay: bool,
) -> Iterator[Answer | Failure]:
    predictor.warm_up()  # which is no part of a prediction's time
    for image, problem in found:
        if problem:
            yield Failure(image, problem)
            continue
        try:
            pixels, model_input = read_fitted(Path(image), predictor)
            start = time.perf_counter_ns()
            fitted = predictor.predict(model_input)
            milliseconds = (time.perf_counter_ns() - start) / 1e6
        except DatasetError as error:
            yield Failure(image, str(error))
            continue
        prediction, target = fitted.in_size(pixels.shape[:2]), targets.get(image)
        if target and isinstance(prediction, MaskPrediction):
            try:
                write_mask(target, prediction, pixels if overlay else None)
            except OSError as error:
                yield Failure(image, f"its mask cannot be written ({error})")
                continue
        cells = cells_of(prediction, predictor.segments.count)
        content, left = prediction.to_json(), prediction.exit_index
        yield Answer(image, content, cells, left, milliseconds, target)


def _as_object(result: Answer | Failure) -> dict[str, Any]:
    if isinstance(result, Failure):
        return {"image": result.image, "error": result.problem}
    mask = {"mask": str(result.mask)} if result.mask else {}
    return {
        "image": result.image,
        **result.content,
        **mask,
        "milliseconds": result.milliseconds,
    }


def _print_table(answers: Sequence[Answer], exits: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("image", overflow="fold")
    for heading in answers[0].cells:
        is_number = heading in ("confidence", "exit")
        table.add_column(
            heading,
            justify="right" if is_number else "left",
            style="bold" if heading == "label" else None,
            no_wrap=is_number,
            overflow="fold",
        )
    table.add_column("time", justify="right", no_wrap=True)
    for answer in answers:
        # Text, in which no bracket is markup.
        cells = [answer.image, *answer.cells.values(), f"{answer.milliseconds:.2f} ms"]
        table.add_row(*map(Text, cells))
    Console().print(table)
    if len(answers) > 1:
        mean = float(np.mean([answer.milliseconds for answer in answers]))
        left = [answer.exit_index for answer in answers]
        told = ", ".join(f"{left.count(k)} at exit {k + 1}" for k in range(exits))
        exited = f"; left {told}" if exits > 1 else ""
        print(f"{len(answers)} images, {mean:.2f} ms on average{exited}")
    written = [answer.mask for answer in answers if answer.mask]
    if len(written) == 1:
        print(f"written: {written[0]}")
    elif written:
        print(f"written: {len(written)} masks in {written[0].parent}")
