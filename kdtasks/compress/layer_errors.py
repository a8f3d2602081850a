"""Where an int8 file loses accuracy: every tensor beside the float network's, every layer tried."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from kdtasks.compress.convert import calibrate
from kdtasks.compress.exported import validate_export
from kdtasks.compress.quantization.kernels import kernel_pairs
from kdtasks.compress.quantization.quantizer import layer_name, quantize
from kdtasks.compress.quantization.trace import Trace, dequantized, quantized
from kdtasks.compress.tflite.graph import Graph, Tensor, read_graphs, read_model
from kdtasks.core.records.compress import KeptFloat, LayerErrors, TensorError
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.networks.multi_exit import MultiExitModel

if TYPE_CHECKING:
    from kdtasks.compress.number_formats.builtin import Int8

# Images that are looked at; single ones, without delegates, so that every tensor can be read.
_IMAGES = 50

# Of so many of the worst tensors the layers around them are tried in float.
_TRIED = 12
_SHOWN = 5


class _Sums:
    """Energies of one tensor over images."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.values = self.clipped = 0
        self.signal = self.noise = self.rounding = 0.0

    def add(self, expected: np.ndarray, actual: np.ndarray, tensor: Tensor) -> None:
        """Count one image: a float tensor, the same of the int8 file, and how that rounds."""
        low, high = _held(tensor)
        self.low, self.high = min(self.low, expected.min()), max(self.high, expected.max())
        half = (tensor.scale or 0) / 2
        self.clipped += int(np.count_nonzero((expected < low - half) | (expected > high + half)))
        self.values += expected.size
        self.signal += float(np.square(expected).sum())
        self.noise += float(np.square(expected - actual).sum())
        rounded = dequantized(quantized(expected, tensor), tensor)
        self.rounding += float(np.square(expected - rounded).sum())


def _held(tensor: Tensor) -> tuple[float, float]:
    """The smallest and largest value that a quantised tensor holds."""
    limits = np.iinfo(tensor.dtype)
    low, high = dequantized(np.array([limits.min, limits.max]), tensor)
    return float(low), float(high)


def signal_to_noise(signal: float, noise: float) -> float | None:
    """The ratio of two energies in dB, to two digits; None where one of them is 0."""
    return round(10 * math.log10(signal / noise), 2) if signal and noise else None


def tensor_errors(calibrated: bytes, content: bytes, images: np.ndarray) -> list[TensorError]:
    """Run an int8 file beside the float file that it was made from; the worst tensor comes first.

    Args:
        calibrated: as of `convert.calibrate`.
        content: as of `quantize`, with the names that it gives.
        images: uint8 [N, height, width, channels].
    """
    whole, rounded = Trace(calibrated), Trace(content)
    quantised = {
        (name, tensor.name): tensor
        for name, graph in rounded.graphs.items()
        for tensor in graph.tensors
        if tensor.dtype == "int8" and tensor.buffer is None
    }
    producers = _producers(whole.graphs)
    sums = {key: _Sums() for key in producers if key in quantised}
    for image in images:
        expected, actual = whole.run(image), rounded.run(image)
        for key, total in sums.items():
            total.add(expected[key], actual[key], quantised[key])
    kernels = {
        pair.key: signal_to_noise(
            float(np.square(pair.whole).sum()), float(np.square(pair.whole - pair.rounded).sum())
        )
        for pair in kernel_pairs(read_model(calibrated), read_model(content))
    }
    errors = [
        TensorError(
            layer=producers[key][0],
            tensor="/".join(key),
            operator=producers[key][1],
            range=(float(total.low), float(total.high)),
            int8_range=_held(quantised[key]),
            clipped=round(total.clipped / total.values, 9),
            snr=signal_to_noise(total.signal, total.noise),
            rounding_snr=signal_to_noise(total.signal, total.rounding),
            kernel_snr=kernels.get(key),
        )
        for key, total in sums.items()
    ]
    return sorted(errors, key=lambda error: math.inf if error.snr is None else error.snr)


def _producers(graphs: dict[str, Graph]) -> dict[tuple[str, str], tuple[str, str]]:
    """Signature and name of every computed tensor to its layer and operator."""
    return {
        (name, graph.tensors[operator.outputs[0]].name): (
            layer_name(graph, operator),
            operator.name,
        )
        for name, graph in graphs.items()
        for operator in graph.operators
    }


def layers_around(calibrated: bytes, error: TensorError) -> tuple[str, ...]:
    """The layer that makes a tensor and those that take it in the same segment.

    Only where all of them compute in float is the tensor not rounded.
    """
    for graph in read_graphs(calibrated):
        numbers = {
            f"{graph.signature}/{tensor.name}": index for index, tensor in enumerate(graph.tensors)
        }
        if error.tensor in numbers:
            takers = [
                operator for operator in graph.operators if numbers[error.tensor] in operator.inputs
            ]
            return tuple(
                dict.fromkeys([error.layer, *(layer_name(graph, operator) for operator in takers)])
            )
    raise ValueError(f"no tensor {error.tensor!r} in the file")


class LayerTrials:
    """Tries an int8 file with some layers in float.

    Attributes:
        errors: of the tensors with all layers in int8, worst first.
    """

    def __init__(self, model: MultiExitModel, settings: "Int8", representative: np.ndarray) -> None:
        """Calibrate a network.

        Args:
            settings: its layers in float are left aside.
            representative: uint8 [N, height, width, channels], of the calibration split.
        """
        self._settings = settings.model_copy(update={"keep_float": (), "auto": 0})
        self._images, self._looked_at = representative, representative[:_IMAGES]
        self._calibrated = calibrate(model, representative)
        self._expected = np.stack(ForwardPass(model).logits(self._looked_at), axis=1)
        self._tried: dict[tuple[str, ...], tuple[bytes, float]] = {}
        self.errors = tensor_errors(self._calibrated, self.file(()), self._looked_at)

    def file(self, kept: Sequence[str]) -> bytes:
        """The int8 file with these layers in float.

        Raises:
            ExportError: it has no layer of a name.
        """
        return self._try(tuple(kept))[0]

    def _try(self, kept: tuple[str, ...]) -> tuple[bytes, float]:
        if kept not in self._tried:
            settings = self._settings.model_copy(update={"keep_float": kept})
            content = quantize(self._calibrated, settings, self._images)
            logits = Segments(content).logits_of(self._looked_at)
            axes = tuple(axis for axis in range(logits.ndim) if axis != 1)
            noise = np.square(logits - self._expected).mean(axis=axes)
            spread = self._expected.std(axis=axes)
            error = np.sqrt(noise) / np.where(spread > 0, spread, 1)
            self._tried[kept] = content, float(error.mean())
        return self._tried[kept]

    def best(self) -> list[tuple[str, ...]]:
        """The layers around the worst tensors, those first whose float helps the logits most."""
        around = [layers_around(self._calibrated, error) for error in self.errors[:_TRIED]]
        return sorted(dict.fromkeys(around), key=lambda layers: self._try(layers)[1])

    def chosen(self, settings: "Int8") -> tuple[str, ...]:
        """The layers that settings keep in float: those named, and those around the worst."""
        worst = self.best()[: settings.auto] if settings.auto else []
        return tuple(dict.fromkeys(chain(settings.keep_float, *worst)))

    def measured(
        self, kept: Sequence[str], validation: tuple[Any, Any], *, ignore_label: int | None = None
    ) -> LayerErrors:
        """Describe the tensors, and what the worst and the kept layers gain.

        Args:
            kept: layers that the file that is shipped has in float.
            validation: uint8 images [N, height, width, channels] and their labels.
            ignore_label: label that counts nowhere.
        """

        def judged(layers: tuple[str, ...]) -> KeptFloat:
            content, error = self._try(layers)
            scores = validate_export(content, *validation, ignore_label=ignore_label)
            return KeptFloat(
                layers=layers,
                error=round(error, 6),
                accuracy=scores.accuracy[-1],
                bytes=len(content),
            )

        return LayerErrors(
            rows=len(self._looked_at),
            tensors=tuple(self.errors),
            plain=judged(()),
            tried=tuple(judged(layers) for layers in self.best()[:_SHOWN]),
            kept=judged(tuple(kept)) if kept else None,
        )
