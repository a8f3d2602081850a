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


class Compressed(Record):
    """`metrics/compress/<variant>.json`.

    Attributes:
        base_seed: of the distilled student that the variant is made from.
        macs: [K], multiply-accumulates up to and including each exit.
        bytes, gzip_bytes: that the exported file has at most.
        tensors: signature to input or output to dtype.
        sparsity: fraction of zeros in the kernels.
        distinct_weights: the most different values in one filter.
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
