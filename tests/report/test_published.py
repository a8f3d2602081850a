"""The page beside what was published: both models' figures, and a word on other images."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import BundleError
from kdtasks.core.files import read_json, write_json
from kdtasks.edge.manifest import Manifest

MANIFEST = Manifest(
    name="digits",
    variant="float32",
    task="classification",
    class_names=("a", "b"),
    input={"shape": [28, 28, 1], "dtype": "uint8", "range": [0, 255]},
    segments=2,
    score="max_probability",
    temperatures=(1.0, 1.0),
    thresholds=(0.9,),
    macs=(100_000, 400_000),
    bytes=50_000,
    sha256="0" * 64,
    dataset_sha256="0" * 64,
    calibration={},
    parameters={},
    libraries={},
)
TEST = {"accuracy": 0.931, "interval": [0.92, 0.94], "confidence": 0.95, "rows": 1000, "cost": 0.5}


def section(page: Path) -> str | None:
    parts = page.read_text(encoding="utf-8").split("<h2>Against the published model</h2>")
    return parts[1].split("<h2>")[0] if len(parts) == 2 else None


def test_nothing_was_published(build: Callable[..., Path]) -> None:
    assert section(build() / "index.html") is None


@pytest.mark.parametrize("tested", [True, False])
def test_both_models_figures_stand_side_by_side(build: Callable[..., Path], tested: bool) -> None:
    def publish(root: Path) -> None:
        dataset = (root / "data/prepared/dataset.json").read_bytes()
        own = {"dataset_sha256": hashlib.sha256(dataset).hexdigest(), "metrics": {"test": TEST}}
        content = MANIFEST.to_json() | (own if tested else {})
        write_json(root / "models/published/manifest.json", content)

    report = build(change=publish)
    found = section(report / "index.html")
    assert found is not None
    shown = read_json(report / "statistics.json")["variants"]["int8"]
    assert "<small>digits, float32</small>" in found
    assert f"<td>50.0\u00a0kB</td><td>{shown['bytes'] / 1000:.1f}\u00a0kB</td>" in found
    assert "<td>400\u00a0k</td>" in found
    assert ("93.1\u00a0% (92.0\u00a0–\u00a094.0\u00a0%)" in found) == tested
    assert ("<td>200\u00a0k</td>" in found) == tested  # half of the MACs
    assert ("<td>not tested</td>" in found) != tested
    assert ("tested on other images" in found) != tested


def test_a_damaged_bundle_is_named(build: Callable[..., Path]) -> None:
    def publish(root: Path) -> None:
        write_json(root / "models/published/manifest.json", {"format_version": 1})

    with pytest.raises(BundleError, match=r"models/published.*manifest\.json"):
        build(change=publish)
