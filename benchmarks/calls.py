"""Where the time of one call goes: bundles against LiteRT's bare `Invoke` of the same file.

    python -m benchmarks.calls bundles/int8 bundles/float32 results/mlperf-tiny/int8.tflite

All ways take turns in one process, image by image (those of the self-test, else noise), on one
thread, always to the last exit. A time is the median, a ratio the median of an image's own in one
round, which other work on the machine moves least. `--write` puts the figures into
results/calls.json and docs/calls.md. `invoke` is the floor: LiteRT computes what
lies in its tensors, and nothing goes in or comes out, which is what its own `benchmark_model`
times. `without XNNPACK` is the same by LiteRT's own kernels. `runner` is LiteRT's public way in
Python, a `SignatureRunner` for each segment. `logits` is `kdtasks.edge` from pixels to the numbers
of every exit; `predict` adds the probabilities. `many` is an image's share of `logits_of`, and its
floor the bare `Invoke` of as many images at a time.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import fill
from kdtasks.core.files import write_json
from kdtasks.core.processor import read_processor
from kdtasks.edge.chain import SignatureChain
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.interpreter import open_interpreter
from kdtasks.edge.registry import load_predictor

ROOT = Path(__file__).parents[1]
FIGURES, PAGE = ROOT / "results" / "calls.json", ROOT / "docs" / "calls.md"
COMMAND = "python -m benchmarks.calls --write"
ROWS = {
    "invoke": "`Invoke` alone",
    "without XNNPACK": "without XNNPACK",
    "runner": "LiteRT's `SignatureRunner`",
    "logits": "pixels to logits, `kdtasks.edge`",
    "predict": "`predict`: probabilities too",
    "invoke, many": "`Invoke` of eight images, an image's share",
    "many": "… `logits_of`, of that `Invoke`",
}

_IMAGES = 64
Way = Callable[[np.ndarray], object]
Figures = dict[str, dict[str, float]]  # of a way: microseconds an image, times its `invoke`


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=100, help="of every image")
    parser.add_argument("--write", action="store_true", help="write results/ and docs/")
    options = parser.parse_args()
    bundles = {}
    for bundle in options.bundles:
        model = load_predictor(bundle)
        if not isinstance(model, Classifier):
            parser.error(f"{bundle} gives masks; one that tells the class was expected")
        ways = _measure(model.without_early_exits(), options.rounds)
        bundles[str(bundle)] = {"segments": model.segments.count, "ways": ways}
    result = {
        "processor": read_processor().name,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": options.rounds,
        "bundles": bundles,
    }
    print(table(result))
    if options.write:
        write_json(FIGURES, result)
        fill(PAGE, COMMAND, table(result))


def table(result: Any) -> str:
    """Give the figures as the page shows them."""
    bundles = dict(sorted(result["bundles"].items()))
    heads = [f"`{name}`, {one['segments']} segments" for name, one in bundles.items()]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for way, told in ROWS.items():
        cells = [_cell(one["ways"].get(way)) for one in bundles.values()]
        lines.append(f"| {told} | {' | '.join(cells)} |")
    cells = [
        " + ".join(
            f"{one['ways'][f'segment_{k}']['microseconds']:.1f}" for k in range(one["segments"])
        )
        for one in bundles.values()
    ]
    lines.insert(3, f"| … segment by segment | {' | '.join(cells)} |")
    where = f"{result['processor']}, {result['cores']} cores under a load of {result['load']}"
    return "\n".join([*lines, "", f"{where}, {result['rounds']} rounds.", ""])


def _cell(figures: dict[str, float] | None) -> str:
    if not figures:
        return ""  # LiteRT, or one different bit, forbids many at a time
    microseconds, ratio = figures["microseconds"], figures["of_invoke"]
    return f"{microseconds:.1f}" + (f" ({ratio:.2f})" if ratio != 1 else "")


def _measure(model: Classifier, rounds: int) -> Figures:
    segments = model.segments
    shape = (_IMAGES, *segments.input_shape)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = noise if model.test_images is None else np.resize(model.test_images, shape)
    content, keys = segments._content, segments._keys

    def logits(image: np.ndarray) -> None:
        segments.begin(image)
        for index in range(segments.count):
            segments.run(index)

    bare = SignatureChain(open_interpreter(content), keys)
    one: dict[str, Way] = {
        "invoke": _invoke(bare),
        **{key: partial(_invoke_one, bare, index) for index, key in enumerate(keys)},
        "without XNNPACK": _invoke(SignatureChain(_plain_interpreter(content), keys)),
        "runner": _runners(content, keys),
        "logits": logits,
        "predict": model.predict,
    }
    found = _in_turn(one, images, rounds, 1)
    segments.logits_of(images)  # tries whether many give the same
    if many := segments._many:
        groups = images.reshape(-1, 2 * len(many.image), *segments.input_shape)
        invoke = _invoke(many)
        both = {"invoke, many": lambda _: (invoke(_), invoke(_)), "many": segments.logits_of}
        found |= _in_turn(both, groups, rounds, groups.shape[1])
    return found


def _in_turn(ways: dict[str, Way], images: np.ndarray, rounds: int, share: int) -> Figures:
    """Time every way on every image, each of `share` images; the first round is not counted."""
    times = np.empty((rounds + 1, len(images), len(ways)))
    for turn in range(rounds + 1):
        for row, image in enumerate(images):
            for place, way in enumerate(ways.values()):
                start = time.perf_counter_ns()
                way(image)
                times[turn, row, place] = time.perf_counter_ns() - start
    counted = times[1:].reshape(-1, len(ways))
    medians = np.median(counted, axis=0) / 1e3 / share
    ratios = np.median(counted / counted[:, :1], axis=0)
    return {
        way: {"microseconds": round(float(median), 2), "of_invoke": round(float(ratio), 3)}
        for way, median, ratio in zip(ways, medians, ratios, strict=True)
    }


def _invoke(chain: SignatureChain) -> Way:
    def run(image: np.ndarray) -> None:
        for graph in chain._graphs:
            chain._lite.Invoke(graph)

    return run


def _invoke_one(chain: SignatureChain, index: int, image: np.ndarray) -> None:
    chain._lite.Invoke(chain._graphs[index])


def _plain_interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=plain)


def _runners(content: bytes, keys: list[str]) -> Way:
    interpreter = open_interpreter(content)
    runners = [interpreter.get_signature_runner(key) for key in keys]
    names = [list(runner.get_input_details()) for runner in runners]
    kind = runners[0].get_input_details()["image"]["dtype"]

    def run(image: np.ndarray) -> None:
        taken = (image ^ 0x80).view(np.int8) if kind == np.int8 else image.astype(kind)
        tensors = {"image": taken[None]}
        for runner, needed in zip(runners, names, strict=True):
            tensors |= runner(**{name: tensors[name] for name in needed})

    return run


if __name__ == "__main__":
    main()
