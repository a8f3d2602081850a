"""Where int8 loses, on the page of the report."""

from collections.abc import Callable
from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.compress import Compressed, KeptFloat, LayerErrors, TensorError

PLAIN = KeptFloat(layers=(), error=0.2, accuracy=0.9, bytes=1000)
FOUND = LayerErrors(
    rows=50,
    tensors=(
        TensorError(layer="wide", tensor="segment_0/wide", operator="CONV_2D", range=(-1.5, 60.0),
                    int8_range=(-1.4, 58.0), clipped=0.0123, snr=3.25, rounding_snr=4.0,
                    kernel_snr=41.5),
        TensorError(layer="flat", tensor="segment_0/flat", operator="RESHAPE", range=(0.0, 1.0),
                    int8_range=(0.0, 1.0), clipped=0.0, snr=None, rounding_snr=None),
    ),
    plain=PLAIN,
    tried=(KeptFloat(layers=("wide", "mix"), error=0.01, accuracy=0.925, bytes=4000),),
)  # fmt: skip


def page_with(build: Callable[..., Path], found: LayerErrors | None) -> str:
    def write(root: Path) -> None:
        path = ProjectPaths(root).metrics("compress", "int8")
        Compressed.read(path).model_copy(update={"layers": found}).write(path)

    text = (build(change=write) / "index.html").read_text(encoding="utf-8")
    return " ".join(text.replace("\u00a0", " ").split())


def test_table_and_plot(build: Callable[..., Path]):
    page = page_with(build, FOUND)
    assert "<th>wide<small>CONV_2D</small></th> <td>3.2 dB</td> <td>4.0 dB</td>" in page
    assert "<td>−1.5 … 60</td> <td>−1.4 … 58</td> <td>1.23 %</td>" in page
    assert "wide, mix</th> <td>1.00 %</td><td>92.5 %</td> <td>+2.5 points</td>" in page
    assert "Signal to quantisation noise of the tensors of int8" in page
    assert "what this file keeps" not in page


def test_kept_layers_stand_out(build: Callable[..., Path]):
    kept = KeptFloat(layers=("wide",), error=0.1, accuracy=0.91, bytes=2000)
    page = page_with(build, FOUND.model_copy(update={"kept": kept}))
    assert '<tr class="chosen"><th>what this file keeps<small>wide</small>' in page


def test_without_int8_there_is_no_section(build: Callable[..., Path]):
    assert "Where int8 loses" not in page_with(build, None)
