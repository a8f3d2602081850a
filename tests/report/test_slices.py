"""What compression changes where images are bad, on the page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.files import read_json, write_arrays
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.evaluate import Comparison
from kdtasks.evaluate.slices import ClassSliceResults, compared_slices, seed_arrays
from tests.tools.report_projects import ROWS, VARIANTS

NAMES = ("plain", "gaussian_noise 1", "gaussian_noise 5", "night")
NIGHT_ROWS = 400


def tally(*right: int) -> ClassSliceResults:
    """A model that gets so many of the first images of every slice right."""
    rows = [*[ROWS] * 3, NIGHT_ROWS]
    found = [(np.arange(n) < k, np.arange(n)) for n, k in zip(rows, right, strict=True)]
    return ClassSliceResults.of(dict(zip(NAMES, found, strict=True)), separate=("night",))


def write_slices(root: Path, *, lost: int = 60) -> None:
    """int8 loses 1 % everywhere, `lost` images where noise is worst; the others lose none."""
    paths = ProjectPaths(root)
    distilled = {seed: tally(960, 900, 700, 300) for seed in (0, 1, 2)}
    compared = {"teacher": {0: tally(980, 950, 800, 320)}, "student": {}, "distill": distilled}
    slices = compared_slices(compared, 0.95)
    path = paths.metrics("compare")
    Comparison.read(path).model_copy(update={"slices": slices}).write(path)
    with np.load(paths.compared) as arrays:
        there = dict(arrays)
    write_arrays(paths.compared, **there, **seed_arrays(distilled))
    for variant in VARIANTS:
        is_lossy = variant == "int8"
        found = tally(950, 890, 700 - lost, 296) if is_lossy else tally(960, 900, 700, 300)
        with np.load(paths.examples(variant)) as arrays:
            there = dict(arrays)
        write_arrays(paths.examples(variant), **there, **found.arrays())


def words(page: Path) -> str:
    return " ".join(page.read_text(encoding="utf-8").replace("\u00a0", " ").split())


def test_changes_are_paired_and_what_is_certain_is_flagged(build: Callable[..., Path]) -> None:
    report = build(change=write_slices)
    slices: dict[str, Any] = read_json(report / "statistics.json")["slices"]
    assert set(slices) == set(NAMES)
    worst = slices["gaussian_noise 5"]
    assert (worst["teacher"]["score"], worst["distill"]["score"]) == (0.8, 0.7)
    assert worst["student"] is None
    row = worst["variants"]["int8"]
    assert row["score"] == pytest.approx(0.64)
    assert row["change"] == pytest.approx(-0.06)
    assert row["change_interval"][0] < -0.06 < row["change_interval"][1] < 0
    assert row["excess"] == pytest.approx(-0.05)
    # Sixty images lost there and ten others on the plain split: 70 signs, of which 10 are +.
    assert row["adjusted_p_value"] == pytest.approx(12 * row["p_value"])  # 4 variants × 3
    assert row["hurts"] is True
    mild = slices["gaussian_noise 1"]["variants"]["int8"]
    assert mild["excess"] == 0
    assert "hurts" not in mild
    assert "p_value" not in slices["plain"]["variants"]["int8"]
    night = slices["night"]["variants"]["int8"]
    assert (slices["night"]["distill"]["score"], night["score"]) == (0.75, 0.74)
    assert (night["change"], night["excess"]) == (pytest.approx(-0.01), pytest.approx(0))
    assert night["p_value"] > 0.5

    page = words(report / "index.html")
    assert "<h2>Slice by slice</h2>" in page
    assert "int8 on gaussian_noise 5 (−5.0 points on top)." in page
    assert page.count("✗ certainly worse") == 1
    assert "Test accuracy by severity of the corruptions" in page
    assert 'id="severities-' in page
    places = [page.index(f'<th scope="row">{name.replace("_", " ")}<') for name in NAMES]
    assert places == sorted(places)


def test_what_may_be_luck_is_not_flagged(build: Callable[..., Path]) -> None:
    # Three images on top of the ten: 2 · 2⁻³ or more is no finding, corrected or not.
    report = build(change=lambda root: write_slices(root, lost=13))
    slices = read_json(report / "statistics.json")["slices"]
    assert slices["gaussian_noise 5"]["variants"]["int8"]["excess"] == pytest.approx(-0.003)
    assert "Nowhere does compression certainly hurt more" in words(report / "index.html")


def test_without_slices_there_is_no_section(build: Callable[..., Path]) -> None:
    report = build()
    assert "slices" not in read_json(report / "statistics.json")
    assert "Slice by slice" not in words(report / "index.html")
