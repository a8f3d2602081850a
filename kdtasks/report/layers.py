"""Where int8 loses accuracy: the figure of every int8 variant."""

import math
from typing import TYPE_CHECKING

from kdtasks.core.records.compress import LayerErrors
from kdtasks.report.drawing import Colour, draw
from kdtasks.report.inputs import ReportInputs, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More names than these do not fit below one another.
_SHOWN = 24


def errors_by_layer(inputs: ReportInputs) -> dict[str, LayerErrors]:
    """The errors of every variant that has them."""
    compressed = {name: known(files.compress) for name, files in inputs.variants.items()}
    return {name: record.layers for name, record in compressed.items() if record and record.layers}


def layers_figures(layers: dict[str, LayerErrors]) -> dict[str, str]:
    """Draw each variant's: `layers_0` … to `<svg>` element."""
    return {
        f"layers_{index}": layers_figure(index, name, found)
        for index, (name, found) in enumerate(layers.items())
    }


def layers_figure(index: int, name: str, errors: LayerErrors) -> str:
    """Draw the signal-to-quantisation-noise ratio of the worst tensors, the worst on top.

    Bars are the whole noise, dots the rounding of the tensor alone.
    """
    worst = [tensor for tensor in errors.tensors if tensor.snr is not None][:_SHOWN]

    def plot(axes: "Axes") -> None:
        rows = range(len(worst))
        axes.barh(rows, [tensor.snr or 0 for tensor in worst], color=Colour.DISTILL, height=0.6)
        own = [math.nan if layer.rounding_snr is None else layer.rounding_snr for layer in worst]
        axes.plot(own, rows, "o", color=Colour.INK, markersize=3)
        axes.set_yticks(rows, [tensor.layer for tensor in worst])
        axes.set(xlabel="signal to noise, dB")
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")

    description = f"Signal to quantisation noise of the tensors of {name}, the worst first"
    return draw(f"layers-{index}", description, plot, height=0.9 + 0.2 * len(worst))
