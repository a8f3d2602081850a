"""Classify pictures with a bundle: label, confidence, exit and time of each, or their masks."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdtasks.cli.images import find_pictures, read_pixels
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.classifier import Model, Prediction


class PredictOptions(NamedTuple):
    """How to predict.

    Attributes:
        thresholds: as for `Model.load`; classification only.
        out: where masks go, a file or a folder; segmentation only.
        overlay: whether the mask is drawn over the picture; segmentation only.
        threads: of the LiteRT interpreter.
        as_json: print one list of objects in place of the table.
    """

    thresholds: Sequence[float] | None = None
    out: Path | None = None
    overlay: bool = False
    threads: int = 1
    as_json: bool = False


class Answer(NamedTuple):
    """What became of one picture: a prediction and its milliseconds, or a problem."""

    picture: str
    prediction: Prediction | None
    milliseconds: float | None
    problem: str | None


def run_predict(bundle: Path, names: Sequence[str], options: PredictOptions) -> int:
    """Classify pictures, or label their pixels, as the bundle's task is; give the exit status.

    A picture that cannot be read is named on standard error, the others go on, and the status is 1.

    Arguments:
        bundle: folder of a bundle.
        names: as for `find_pictures`.

    Raises:
        BundleError: the bundle cannot be used or is a folder of bundles, or an option is for
            another task.
    """
    if open_bundle(bundle).task == "segmentation":
        from kdtasks.cli.predict_masks import predict_masks

        if options.thresholds is not None:
            raise BundleError(
                f"{bundle} labels pixels and has no early exits; --thresholds is for "
                "classification, leave it out"
            )
        return predict_masks(
            bundle,
            names,
            out=options.out,
            overlay=options.overlay,
            threads=options.threads,
            as_json=options.as_json,
        )
    if options.out is not None or options.overlay:
        raise BundleError(
            f"{bundle} classifies whole pictures; --out and --overlay are for segmentation, leave "
            "them out"
        )
    return _predict_labels(bundle, names, options)


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


def _predict_labels(bundle: Path, names: Sequence[str], options: PredictOptions) -> int:
    """Classify every picture and print a table, or JSON."""
    model = Model.load(bundle, options.thresholds, options.threads)
    answers = list(_answers(model, names))
    if options.as_json:
        print(json.dumps([_as_object(answer) for answer in answers], indent=2, ensure_ascii=False))
    else:
        _print_table(model, [answer for answer in answers if answer.prediction])
    failed = [answer for answer in answers if answer.problem]
    for answer in failed:
        print(f"error: {answer.picture}: {answer.problem}", file=sys.stderr)
    return 1 if failed else 0


def _answers(model: Model, names: Sequence[str]) -> Iterator[Answer]:
    # LiteRT sets a segment up when it first runs, which is no part of a prediction's time.
    model.segments.logits(np.zeros(model.segments.input_shape, np.uint8))
    for picture, problem in find_pictures(names):
        if problem:
            yield Answer(picture, None, None, problem)
            continue
        try:
            pixels = read_pixels(Path(picture), model.segments.input_shape)
        except DatasetError as error:
            yield Answer(picture, None, None, str(error))
            continue
        start = time.perf_counter_ns()
        prediction = model.predict(pixels)
        yield Answer(picture, prediction, (time.perf_counter_ns() - start) / 1e6, None)


def _as_object(answer: Answer) -> dict[str, Any]:
    if answer.prediction is None:
        return {"picture": answer.picture, "error": answer.problem}
    found = answer.prediction
    return {
        "picture": answer.picture,
        "label": found.label,
        "class_index": found.class_index,
        "confidence": found.confidence,
        "exit_index": found.exit_index,
        "milliseconds": answer.milliseconds,
    }


def _print_table(model: Model, answers: Sequence[Answer]) -> None:
    from rich.console import Console
    from rich.table import Table

    exits = model.segments.count
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("picture", overflow="fold")
    table.add_column("label", style="bold", overflow="fold")
    for heading in ("confidence", "exit", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for picture, found, milliseconds, _ in answers:
        assert found is not None
        table.add_row(
            _plain(picture),
            _plain(found.label),
            f"{found.confidence * 100:.1f} %",
            f"{found.exit_index + 1} of {exits}",
            f"{milliseconds:.2f} ms",
        )
    if answers:
        Console().print(table)
    if len(answers) > 1:
        mean = float(np.mean([answer.milliseconds for answer in answers if answer.milliseconds]))
        left = [found.exit_index for _, found, _, _ in answers if found]
        told = ", ".join(f"{left.count(k)} at exit {k + 1}" for k in range(exits))
        print(f"{len(answers)} pictures, {mean:.2f} ms on average; left {told}")


def _plain(text: str) -> Any:
    """Text in which no bracket is markup."""
    from rich.text import Text

    return Text(text)
