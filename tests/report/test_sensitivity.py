"""What single layers are worth, on the page."""

from collections.abc import Callable
from pathlib import Path

from kdtasks.core.files import write_json
from kdtasks.core.records.compress import Sensitivity
from kdtasks.report.curves import curve_of, sensitivity_figure


def test_curves_start_at_the_whole_network() -> None:
    figures = {"filters": 8, "0.5": 0.7, "0.25": 0.9}
    assert curve_of(figures, 0.95) == [(0.0, 0.95), (0.25, 0.9), (0.5, 0.7)]


def test_every_layer_is_in_the_image(build: Callable[..., Path]) -> None:
    page = (build() / "index.html").read_text(encoding="utf-8")
    assert "on 500 validation images" in page
    for name in ("block_1_conv", "block_2_conv", "left_conv+right_conv"):
        assert f">{name}<" in page


def test_what_could_not_be_measured_says_why(build: Callable[..., Path]) -> None:
    def refuse(root: Path) -> None:
        write_json(root / "metrics/sensitivity.json", {"refused": "layer 'gate' is a Multiply"})

    page = (build(change=refuse) / "index.html").read_text(encoding="utf-8")
    assert "Not measured: layer &#39;gate&#39; is a Multiply" in page

    def forget(root: Path) -> None:
        (root / "metrics/sensitivity.json").unlink()

    report = build(change=forget, folder="other")
    path = report.parent / "metrics/sensitivity.json"
    page = (report / "index.html").read_text(encoding="utf-8")
    assert f"Not measured: {path} not found" in page


def test_only_the_layers_that_lose_most_are_named():
    layers: dict[str, dict[str, int | float]] = {
        f"layer_{number:02}": {"filters": 4, "0.5": 0.9 - number / 100} for number in range(20)
    }
    figure = sensitivity_figure(Sensitivity(rows=9, accuracy=0.9, layers=layers))
    assert [name for name in layers if name in figure] == [f"layer_{n}" for n in range(12, 20)]
