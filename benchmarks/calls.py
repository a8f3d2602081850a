"""Where the time of one call goes: bundles against LiteRT's bare `Invoke` of the same file.

    python -m benchmarks.calls bundles/int8 bundles/float32 results/mlperf-tiny/int8.tflite

All ways take turns in one process, image by image (those of the self-test, else noise), on one
thread, always to the last exit; a figure is the median. `invoke` is the floor: LiteRT computes what
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
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.core.processor import read_processor
from kdtasks.edge.chain import Chain
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.interpreter import open_interpreter
from kdtasks.edge.registry import load_predictor

_IMAGES = 64
Way = Callable[[np.ndarray], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=100, help="of every image")
    options = parser.parse_args()
    for bundle in options.bundles:
        model = load_predictor(bundle)
        if not isinstance(model, Classifier):
            parser.error(f"{bundle} gives masks; one that tells the class was expected")
        print(f"{bundle}, {model.segments.count} segments")
        _report(model.without_early_exits(), options.rounds)
    print(f"{read_processor().name}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _report(model: Classifier, rounds: int) -> None:
    segments = model.segments
    shape = (_IMAGES, *segments.input_shape)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = noise if model.test_images is None else np.resize(model.test_images, shape)
    content, keys = segments._content, segments._keys

    def logits(image: np.ndarray) -> None:
        segments.begin(image)
        for index in range(segments.count):
            segments.run(index)

    one = {
        "invoke": _invoke(Chain(open_interpreter(content), keys)),
        "without XNNPACK": _invoke(Chain(_plain_interpreter(content), keys)),
        "runner": _runners(content, keys),
        "logits": logits,
        "predict": model.predict,
    }
    _print(_in_turn(one, images, rounds), 1)
    segments.logits_of(images)  # tries whether many give the same
    if many := segments._many:
        groups = images.reshape(-1, 2 * len(many.image), *segments.input_shape)
        invoke = _invoke(many)
        both = {"invoke": lambda _: (invoke(_), invoke(_)), "many": segments.logits_of}
        _print(_in_turn(both, groups, rounds), groups.shape[1])


def _in_turn(ways: dict[str, Way], images: np.ndarray, rounds: int) -> dict[str, float]:
    """Microseconds of a call, the median over images and rounds; the first round is not counted."""
    times = np.empty((rounds + 1, len(images), len(ways)))
    for turn in range(rounds + 1):
        for row, image in enumerate(images):
            for place, way in enumerate(ways.values()):
                start = time.perf_counter_ns()
                way(image)
                times[turn, row, place] = time.perf_counter_ns() - start
    medians = np.median(times[1:].reshape(-1, len(ways)), axis=0) / 1e3
    return dict(zip(ways, medians.tolist(), strict=True))


def _print(times: dict[str, float], images: int) -> None:
    for name, microseconds in times.items():
        ratio = microseconds / times["invoke"]
        print(f"  {name:16}{microseconds / images:10.1f} µs an image{ratio:8.2f} of invoke")


def _invoke(chain: Chain) -> Way:
    def run(image: np.ndarray) -> None:
        for graph in chain._graphs:
            chain._lite.Invoke(graph)

    return run


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
