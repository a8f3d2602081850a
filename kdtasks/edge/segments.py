"""Run one `.tflite` whose signatures are the segments of a network with early exits."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import BundleError, explained
from kdtasks.core.stderr import held_stderr
from kdtasks.edge.chain import SignatureChain, Tensor
from kdtasks.edge.interpreter import calls, open_interpreter

Pixels = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]

# Images a call where there are many: small networks gain by it, what fits no cache does not.
_ROWS, _MOST_BYTES = 8, 2**14

_TOP_BIT = np.uint8(128)


class TensorSpec(NamedTuple):
    """What a signature says of one tensor; `scale` is 0 where it is not quantised."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Segments:
    """The chain of segments in one `.tflite`: run exit by exit, as far as the caller wants.

    One object serves one thread at a time, since LiteRT keeps its tensors inside the model.

    Attributes:
        count: K, the number of segments and so of exits.
        input_shape: height, width and channels of the images.
        logits_shape: of one exit's logits; (classes,), or (height, width, classes) for masks.
        num_classes: the last of them.
        logits_specs: [K], the numbers of each exit's logits.
        decoders: [K], from the numbers of the file to logits in float32.
    """

    def __init__(self, model: Path | str | bytes, threads: int = 1) -> None:
        """Open a model.

        Args:
            model: path of a `.tflite`, or its content.
            threads: threads of the LiteRT interpreter, at least 1.

        Raises:
            BundleError: the file cannot be read, its signatures are not a chain of segments, or
                it has operators that may loop.
        """
        name = "the model" if isinstance(model, bytes) else str(model)
        problem = f"{name} is not a readable .tflite"
        # A damaged file may fail in any way inside LiteRT.
        with explained(BundleError, problem, "export it again", Exception):
            content = model if isinstance(model, bytes) else Path(model).read_bytes()
            if names := calls(content):
                raise BundleError(
                    f"{name} holds the operator {', '.join(names)}, so it may never answer; only "
                    "networks without loops and branches are run: take another version"
                )
            interpreter = open_interpreter(content, threads)
            signatures = sorted(interpreter.get_signature_list())
        expected = [f"segment_{k}" for k in range(max(1, len(signatures)))]
        if set(signatures) != set(expected):
            raise BundleError(
                f"{name} has the signatures {signatures}, {expected} were expected; "
                "convert one signature for each segment"
            )
        with explained(BundleError, problem, "export it again", Exception):
            runners = [interpreter.get_signature_runner(key) for key in expected]
            inputs = [_specs(runner.get_input_details()) for runner in runners]
            outputs = [_specs(runner.get_output_details()) for runner in runners]
        for problem in _problems(inputs, outputs):
            raise BundleError(f"the segments of {name} do not fit together: {problem}")
        image = inputs[0]["image"]
        self._encode = _encoder(image)
        with explained(BundleError, problem, "export it again", Exception):
            self._chain = SignatureChain(interpreter, expected)
        self._content, self._threads, self._keys = content, threads, expected
        specs = [spec for given in (inputs[0], *outputs) for spec in given.values()]
        held = sum(prod(spec.shape) * spec.dtype.itemsize for spec in specs)
        # A chain of `_ROWS` images, and whether it has yet to be tried.
        self._many: SignatureChain | None = None
        self._is_untried = held <= _MOST_BYTES
        self.logits_specs = [output["logits"] for output in outputs]
        self.decoders = [decoder(spec) for spec in self.logits_specs]
        self.count = len(expected)
        self.input_shape = image.shape[1:]
        self.logits_shape = self.logits_specs[0].shape[1:]
        self.num_classes = self.logits_shape[-1]

    def begin(self, image: Pixels) -> None:
        """Take an image up.

        Args:
            image: uint8 [height, width, channels], raw pixels 0…255, of `input_shape`.
        """
        self._encode(image, self._chain.image)

    def run(self, index: int) -> Tensor:
        """Run one segment, after `begin` and those before it.

        Returns: its logits [classes] in the numbers of the file, which `decoders` turn into
            float32, in memory that the segment's next run overwrites.

        Raises:
            BundleError: LiteRT cannot run it.
        """
        return self._chain.run(index)

    def steps(self, image: Pixels) -> Iterator[Logits]:
        """Yield the logits [classes] of one exit after the other; a segment runs when asked for.

        Args:
            image: uint8 [height, width, channels], raw pixels 0…255, of `input_shape`.
        """
        self.begin(image)
        for index, decode in enumerate(self.decoders):
            yield decode(self.run(index)).copy()

    def logits(self, image: Pixels) -> Logits:
        """Run every segment on one image, uint8 [height, width, channels]; gives [K, classes]."""
        logits: Logits = self._all_logits(self._chain, image)[0]
        return logits

    def logits_of(self, images: Pixels) -> Logits:
        """Run every segment on images, uint8 [N, height, width, channels]; [N, K, classes].

        Many run several at a time where that gives the same to the last bit.
        """
        every = np.empty((len(images), self.count, *self.logits_shape), np.float32)
        many, done = self._several(images), 0
        if many:
            for done in range(_ROWS, len(images) + 1, _ROWS):
                every[done - _ROWS : done] = self._all_logits(many, images[done - _ROWS : done])
        for row in range(done, len(images)):
            every[row] = self.logits(images[row])
        return every

    def _all_logits(self, chain: SignatureChain, images: Pixels) -> Logits:
        self._encode(images, chain.image)
        rows = len(images) if images.ndim == 4 else 1
        every = np.empty((rows, self.count, *self.logits_shape), np.float32)
        for index, decode in enumerate(self.decoders):
            every[:, index] = decode(chain.run(index))
        return every

    def _several(self, images: Pixels) -> SignatureChain | None:
        """Give the chain for many images; null where LiteRT, or one different bit, forbids it."""
        if self._is_untried and len(images) >= 2 * _ROWS:
            self._is_untried = False
            first = images[:_ROWS]
            with held_stderr(), suppress(BundleError, RuntimeError, ValueError):
                many = SignatureChain(
                    open_interpreter(self._content, self._threads), self._keys, _ROWS
                )
                alone = np.stack([self.logits(image) for image in first])
                if self._all_logits(many, first).tobytes() == alone.tobytes():
                    self._many = many
        return self._many


def _specs(details: dict[str, Any]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            tuple(int(side) for side in tensor["shape"]),
            np.dtype(tensor["dtype"]),
            float(tensor["quantization"][0]),
            int(tensor["quantization"][1]),
        )
        for name, tensor in details.items()
    }


def _problems(
    inputs: list[dict[str, TensorSpec]], outputs: list[dict[str, TensorSpec]]
) -> Iterator[str]:
    """Why segments do not fit together, before one of them fails or is silently wrong."""
    if set(inputs[0]) != {"image"} or len(inputs[0]["image"].shape) != 4:
        yield (
            f"segment_0 takes {_describe(inputs[0])}; it must take one image, `image` "
            "[1, height, width, channels]"
        )
    available: dict[str, TensorSpec] = dict(inputs[0])
    for k, (taken, output) in enumerate(zip(inputs, outputs, strict=True)):
        for key, spec in taken.items():
            if key not in available:
                yield (
                    f"segment_{k} takes `{key}`, but the segments before it give "
                    f"{sorted(set(available) - {'image'})}; the names must be the same"
                )
            if not _same_numbers(available[key], spec):
                yield (
                    f"`{key}` is given as {_describe({key: available[key]})} and taken by "
                    f"segment_{k} as {_describe({key: spec})}; quantise all segments with "
                    "features of the same images"
                )
        if "logits" not in output:
            yield f"segment_{k} gives {sorted(output)}, without `logits`"
        if not _is_number(output["logits"]):
            yield (
                f"segment_{k} gives {_describe({'logits': output['logits']})}; float32, or int8, "
                "uint8 or int16 with a scale, was expected"
            )
        if output["logits"].shape != outputs[0]["logits"].shape:
            yield (
                f"the logits of segment_{k} are {output['logits'].shape}, those of segment_0 "
                f"{outputs[0]['logits'].shape}; every exit must tell the same classes"
            )
        available |= {key: spec for key, spec in output.items() if key != "logits"}
    if any(spec.shape[:1] != (1,) for tensors in inputs + outputs for spec in tensors.values()):
        yield "it was not converted for one image at a time; use batch size 1"


def _is_number(spec: TensorSpec) -> bool:
    """Whether a tensor means numbers that floats can hold."""
    whole = spec.dtype in (np.int8, np.uint8, np.int16) and 0 < spec.scale < np.inf
    return spec.dtype == np.float32 or bool(whole)


def _same_numbers(left: TensorSpec, right: TensorSpec) -> bool:
    """Whether a tensor can be handed on bit by bit."""
    is_same = left._replace(scale=0.0) == right._replace(scale=0.0)
    return is_same and bool(np.isclose(left.scale, right.scale, rtol=1e-5, atol=0.0))


def _describe(tensors: dict[str, TensorSpec]) -> str:
    return ", ".join(
        f"{key} {spec.dtype} {list(spec.shape)} (scale {spec.scale:g}, zero point "
        f"{spec.zero_point})"
        for key, spec in sorted(tensors.items())
    )


def _encoder(spec: TensorSpec) -> Callable[[Pixels, Tensor], object]:
    """Make the function that writes raw pixels as the model takes them."""
    if spec.dtype == np.float32 or (spec.dtype == np.uint8 and spec.scale == 0.0):
        return _copy
    if spec.dtype not in (np.int8, np.uint8, np.int16) or not spec.scale > 0.0:
        raise BundleError(
            f"segment_0 takes {_describe({'image': spec})}; float32, raw uint8, or quantised int8, "
            "uint8 or int16, was expected"
        )
    limits = np.iinfo(spec.dtype)
    pixels = np.arange(256)
    quantised = np.clip(np.rint(pixels / spec.scale) + spec.zero_point, limits.min, limits.max)
    table = quantised.astype(spec.dtype)
    if spec.dtype == np.int8:
        table = table.view(np.uint8)
    if np.array_equal(table, pixels ^ _TOP_BIT):
        # Scale 1, zero point −128: the same as looking pixels up, and several times faster.
        return lambda image, into: np.bitwise_xor(image, _TOP_BIT, out=into)
    if np.array_equal(table, pixels):
        return _copy
    return lambda image, into: np.copyto(into, table[image])


def _copy(image: Pixels, into: Tensor) -> None:
    into[...] = image


def decoder(spec: TensorSpec) -> Callable[[Tensor], Logits]:
    """Make the function that turns a model's logits into float32."""
    if spec.dtype == np.float32:
        return lambda logits: logits
    scale, zero_point = np.float32(spec.scale), np.float32(spec.zero_point)
    return lambda logits: (logits.astype(np.float32) - zero_point) * scale
