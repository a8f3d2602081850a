"""Records of a variant on its way into a bundle, and of the layers that could be pruned."""

from kdtasks.core.records import LabelsFrom, Part, Record
from kdtasks.core.records.training import ExitScores


class ExitParity(Part):
    """One exit of a file beside the same exit of its network.

    Attributes:
        error: root mean square error of the logits, as a fraction of the standard deviation of the
            network's.
        changed: fraction of the answers, of masks of the pixels, that are not the network's.
        interval: of `changed`, at 95 %; None of too few images for one.
    """

    error: float
    changed: float
    interval: tuple[float, float] | None


class Parity(Part):
    """A file beside the float network that it was converted from, on calibration images.

    Attributes:
        rows: images, of masks patches.
        tolerance: the error that its number format allows.
        exits: [K].
        set_ranges: whether the same images set the ranges of the file's numbers: there were too
            few others.
    """

    rows: int
    tolerance: float
    exits: tuple[ExitParity, ...]
    set_ranges: bool = False


class TensorError(Part):
    """A tensor of an int8 file beside the same of its float network, on calibration images.

    Attributes:
        layer: that makes it.
        tensor: name in the file.
        operator: of LiteRT.
        range: its smallest and largest value in float.
        int8_range: the smallest and largest value that int8 holds.
        clipped: fraction of the float values that are outside.
        snr: signal-to-quantisation-noise ratio in dB, the noise of all layers before it included;
            None where the two are equal, or all is 0.
        rounding_snr: the same of its own rounding and clipping alone.
        kernel_snr: the same of the layer's kernel, where it has one.
    """

    layer: str
    tensor: str
    operator: str
    range: tuple[float, float]
    int8_range: tuple[float, float]
    clipped: float
    snr: float | None
    rounding_snr: float | None
    kernel_snr: float | None = None


class KeptFloat(Part):
    """Layers computed in float, all others in int8.

    Attributes:
        error: mean over exits of the logits' root mean square error on calibration images, as a
            fraction of the standard deviation of the network's.
        accuracy: of the last exit on the validation split.
        bytes: of the file.
    """

    layers: tuple[str, ...]
    error: float
    accuracy: float
    bytes: int


class LayerErrors(Part):
    """Where an int8 file loses accuracy.

    Attributes:
        rows: calibration images.
        tensors: worst first, of the file with all layers in int8.
        plain: that file.
        tried: each of the worst tensors' layers alone in float, the best first.
        kept: those that are in float in the file that is shipped; None where all are in int8.
    """

    rows: int
    tensors: tuple[TensorError, ...]
    plain: KeptFloat
    tried: tuple[KeptFloat, ...]
    kept: KeptFloat | None = None


class Compressed(Record):
    """`metrics/compress/<variant>.json`.

    Attributes:
        base_seed: of the distilled student that the variant is made from.
        macs: [K], multiply-accumulates up to and including each exit.
        bytes, gzip_bytes: that the exported file has at most.
        tensors: signature to input or output to dtype.
        sparsity: fraction of zeros in the kernels, before `space_to_depth`.
        distinct_weights: the most different values in one filter, before it as well.
        layers: of int8 variants.
    """

    variant: str
    base_seed: int
    parameters: int
    nonzero_parameters: int
    macs: tuple[int, ...]
    bytes: int
    gzip_bytes: int
    tensors: dict[str, dict[str, str]]
    sparsity: float
    distinct_weights: int
    parity: Parity
    validation: ExitScores
    layers: LayerErrors | None = None


class Sensitivity(Record):
    """`metrics/sensitivity.json`, of the distilled student on the validation split.

    Attributes:
        accuracy: of the whole network.
        labels_from: as of `ExitScores`.
        layers: layer, or layers joined by `+` where they are tied, to its number of `filters`, and
            to the accuracy without a fraction of them, by that fraction (`0.25`).
    """

    rows: int
    accuracy: float
    layers: dict[str, dict[str, int | float]]
    labels_from: LabelsFrom = None


class Exported(Record):
    """`metrics/export/<variant>.json`: sizes of the bundle's `model.tflite`."""

    bytes: int
    gzip_bytes: int
