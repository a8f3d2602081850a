"""Run one `.tflite` whose signatures are the segments of a network with early exits."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import BundleError, explained, shortened
from kdtasks.edge.interpreter import calls, open_interpreter

Tensor = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


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
            found = sorted(interpreter.get_signature_list())
        expected = [f"segment_{k}" for k in range(max(1, len(found)))]
        if set(found) != set(expected):
            raise BundleError(
                f"{name} has the signatures {found}, {expected} were expected; "
                "convert one signature for each segment"
            )
        # Runners hold on to the interpreter's tensors: from here on only they may run anything
        # (Interpreter.invoke would raise "at least 1 reference to internal data").
        with explained(BundleError, problem, "export it again", Exception):
            self._runners = [interpreter.get_signature_runner(key) for key in expected]
            inputs = [_specs(runner.get_input_details()) for runner in self._runners]
            outputs = [_specs(runner.get_output_details()) for runner in self._runners]
        for problem in _problems(inputs, outputs):
            raise BundleError(f"the segments of {name} do not fit together: {problem}")
        image = inputs[0]["image"]
        self._takes = [sorted(taken) for taken in inputs]
        self._is_chain = all(
            set(taken) == set(given) - {"logits"}
            for given, taken in zip(outputs, inputs[1:], strict=False)
        )
        self._encode = _encoder(image)
        self.logits_specs = [output["logits"] for output in outputs]
        self.decoders = [decoder(spec) for spec in self.logits_specs]
        self.count = len(expected)
        self.input_shape = image.shape[1:]
        self.logits_shape = self.logits_specs[0].shape[1:]
        self.num_classes = self.logits_shape[-1]

    def begin(self, image: Pixels) -> dict[str, Tensor]:
        """What `segment_0` takes.

        Args:
            image: uint8 [height, width, channels], raw pixels 0…255, of `input_shape`.
        """
        return {"image": self._encode(image)[None]}

    def run(self, index: int, tensors: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Run one segment, after those before it.

        Args:
            index: of the segment.
            tensors: from the segment before, or from `begin`.

        Returns: its logits [classes] in the numbers of the file, which `decoders` turn into
            float32, and the tensors for the next segment.

        Raises:
            BundleError: LiteRT cannot run it.
        """
        runner = self._runners[index]
        try:
            if self._is_chain:  # microseconds count here
                given = runner(**tensors)
            else:
                given = tensors | runner(**{name: tensors[name] for name in self._takes[index]})
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"LiteRT cannot run segment_{index} of the model ({shortened(str(error))}); fetch "
                "or export the bundle again"
            ) from error
        return given.pop("logits")[0], given

    def steps(self, image: Pixels) -> Iterator[Logits]:
        """Yield the logits [classes] of one exit after the other; a segment runs when asked for.

        Args:
            image: uint8 [height, width, channels], raw pixels 0…255, of `input_shape`.
        """
        tensors = self.begin(image)
        for index, decode in enumerate(self.decoders):
            numbers, tensors = self.run(index, tensors)
            yield decode(numbers)

    def logits(self, image: Pixels) -> Logits:
        """Run every segment on one image, uint8 [height, width, channels]; gives [K, classes]."""
        return np.stack(list(self.steps(image)))

    def logits_of(self, images: Pixels) -> Logits:
        """Run every segment on images, uint8 [N, height, width, channels]; [N, K, classes]."""
        every = np.empty((len(images), self.count, *self.logits_shape), np.float32)
        for row, image in enumerate(images):
            every[row] = self.logits(image)
        return every


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


def _encoder(spec: TensorSpec) -> Callable[[Pixels], Tensor]:
    """Make the function that turns raw pixels into the numbers that the model takes."""
    if spec.dtype == np.float32:
        return lambda image: image.astype(np.float32)
    if spec.dtype == np.uint8 and spec.scale == 0.0:
        return lambda image: image
    if spec.dtype not in (np.int8, np.uint8, np.int16) or not spec.scale > 0.0:
        raise BundleError(
            f"segment_0 takes {_describe({'image': spec})}; float32, raw uint8, or quantised int8, "
            "uint8 or int16, was expected"
        )
    limits = np.iinfo(spec.dtype)
    pixels = np.arange(256)
    quantised = np.clip(np.rint(pixels / spec.scale) + spec.zero_point, limits.min, limits.max)
    table = quantised.astype(spec.dtype)
    if np.array_equal(table, pixels - 128):
        # Scale 1, zero point −128: flipping the top bit is the same and several times faster.
        return lambda image: (image ^ np.uint8(128)).view(np.int8)
    if spec.dtype == np.uint8 and np.array_equal(table, pixels):
        return lambda image: image
    return lambda image: table[image]


def decoder(spec: TensorSpec) -> Callable[[Tensor], Logits]:
    """Make the function that turns a model's logits into float32."""
    if spec.dtype == np.float32:
        return lambda logits: logits
    scale, zero_point = np.float32(spec.scale), np.float32(spec.zero_point)
    return lambda logits: (logits.astype(np.float32) - zero_point) * scale
