"""Predict images with a bundle: the class, confidence, exit and time of each, or its mask."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from kdtasks.cli.images import MAX_PIXELS, find_images, read_fitted, read_whole
from kdtasks.cli.masks import mask_targets, write_mask
from kdtasks.cli.output import print_json, print_table
from kdtasks.core import JsonObject
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.classifier import ClassPrediction
from kdtasks.edge.predictor import Prediction, Predictor
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.segmenter import MaskPrediction


@dataclass(frozen=True)
class PredictedImage:
    """What became of one image.

    Attributes:
        image: its path.
        prediction: in the image's own size.
        milliseconds: of the prediction alone.
        mask: where it was written, or None.
    """

    image: str
    prediction: Prediction
    milliseconds: float
    mask: Path | None

    def to_json(self) -> JsonObject:
        """Give it as `--json` prints it."""
        content = {"image": self.image, **self.prediction.to_json()}
        mask = {"mask": str(self.mask)} if self.mask else {}
        return {**content, **mask, "milliseconds": self.milliseconds}

    def cells(self, exits: int) -> dict[str, str]:
        """Give it as a row of the table, by heading; `exits` is how many the model has."""
        match self.prediction:
            case ClassPrediction(label=label, exit_index=index):
                first, last = {"label": label}, {"exit": f"{index + 1} of {exits}"}
            case MaskPrediction(mask=mask, pixels=pixels, manifest=manifest):
                counts = zip(manifest.class_names, pixels.tolist(), strict=True)
                shares_text = [f"{name} {100 * n / mask.size:.1f} %" for name, n in counts if n]
                first = {"size": f"{mask.shape[1]}×{mask.shape[0]}"}
                last = {"fraction of each class": ", ".join(shares_text)}
        confidence = {"confidence": f"{self.prediction.confidence * 100:.1f} %"}
        taken = {"time": f"{self.milliseconds:.2f} ms"}
        return {"image": self.image, **first, **confidence, **last, **taken}


@dataclass(frozen=True)
class Failure:
    """An image without a response, and why."""

    image: str
    problem: str

    def to_json(self) -> JsonObject:
        """Give it as `--json` prints it."""
        return {"image": self.image, "error": self.problem}


def open_predictor(bundle: Path, thresholds: str | None, threads: int) -> Predictor:
    """Load a bundle.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        thresholds: written as `0.9,0.8`, in place of the bundle's own.
        threads: of the LiteRT interpreter.

    Raises:
        BundleError: the bundle cannot be used or is a folder of bundles, or thresholds do not fit.
    """
    limits = _parse_thresholds(thresholds)
    open_bundle(bundle)
    return load_predictor(bundle, limits, threads)


def run_predict(
    predictor: Predictor,
    names: Sequence[str],
    *,
    out: Path | None = None,
    overlay: bool = False,
    as_json: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> int:
    """Predict every image, write its mask, print a table or JSON; give the exit status.

    An image that cannot be read is named on standard error, the others go on, and the status is 1.

    Args:
        names: as for `find_images`.
        out: where masks go, a file or a folder.
        overlay: whether the mask is drawn over the image.
        max_pixels: images of more are refused by their header.
        as_json: print one list of objects in place of the table.

    Raises:
        BundleError: an option is not for the bundle's task.
        DatasetError: `out` cannot hold the masks.
    """
    if not predictor.per_pixel and (out is not None or overlay):
        raise BundleError(
            f"{predictor.manifest.name} tells the class of whole images; --out and --overlay are "
            "for masks, leave them out"
        )
    images = list(find_images(names))
    targets = mask_targets([name for name, problem in images if not problem], out, overlay)
    results = list(_results(predictor, images, targets, overlay, max_pixels))
    responses = [result for result in results if isinstance(result, PredictedImage)]
    if as_json:
        print_json([result.to_json() for result in results])
    elif responses:
        _print(responses, predictor.segments.count)
    failures = [result for result in results if isinstance(result, Failure)]
    for failure in failures:
        typer.echo(f"error: {failure.image}: {failure.problem}", err=True)
    return 1 if failures else 0


def _parse_thresholds(text: str | None) -> list[float] | None:
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


def _results(
    predictor: Predictor,
    images: Sequence[tuple[str, str | None]],
    targets: Mapping[str, Path],
    overlay: bool,
    max_pixels: int,
) -> Iterator[PredictedImage | Failure]:
    predictor.warm_up()  # which is no part of a prediction's time
    for name, problem in images:
        if problem:
            yield Failure(name, problem)
            continue
        try:
            image = read_fitted(Path(name), predictor, max_pixels)
            if image.animated:
                typer.echo(f"note: {name} has several frames; the first one is taken", err=True)
            start = time.perf_counter_ns()
            fitted = predictor.predict(image.pixels)
            milliseconds = (time.perf_counter_ns() - start) / 1e6
            prediction, target = fitted.in_size(image.size), targets.get(name)
            if target and isinstance(prediction, MaskPrediction):
                under = read_whole(Path(name), predictor, max_pixels) if overlay else None
                write_mask(target, prediction, under)
            yield PredictedImage(name, prediction, milliseconds, target)
        except DatasetError as error:
            yield Failure(name, str(error))
        except OSError as error:
            yield Failure(name, f"its mask cannot be written ({error})")


def _print(responses: Sequence[PredictedImage], exits: int) -> None:
    rows = [response.cells(exits) for response in responses]
    right = ("confidence", "exit", "time")
    print_table([list(row.values()) for row in rows], list(rows[0]), right=right)
    if len(responses) > 1:
        mean = float(np.mean([response.milliseconds for response in responses]))
        taken = [response.prediction.exit_index for response in responses]
        counts = ", ".join(f"{taken.count(k)} at exit {k + 1}" for k in range(exits))
        exited = f"; left {counts}" if exits > 1 else ""
        typer.echo(f"{len(responses)} images, {mean:.2f} ms on average{exited}")
    if written := [response.mask for response in responses if response.mask]:
        many = f"{len(written)} masks in {written[0].parent}"
        typer.echo(f"written: {many if len(written) > 1 else written[0]}")
