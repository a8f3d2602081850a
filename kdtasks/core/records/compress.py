"""Records of a variant on its way into a bundle, and of the layers that could be pruned."""

from kdtasks.core.records import Part, Record
from kdtasks.core.records.training import ExitScores


class Parity(Part):
    """A file beside the network that it was converted from.

    Attributes:
        rms_error: of the logits, as a fraction of them.
        agreement: [K], fraction of equal answers.
    """

    rms_error: float
    agreement: tuple[float, ...]


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
        layers: layer, or layers joined by `+` where they are tied, to its number of `filters`, and
            to the accuracy without a fraction of them, by that fraction (`0.25`).
    """

    rows: int
    accuracy: float
    layers: dict[str, dict[str, int | float]]


class Exported(Record):
    """`metrics/export/<variant>.json`: sizes of the bundle's `model.tflite`."""

    bytes: int
    gzip_bytes: int
