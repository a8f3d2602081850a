"""The figures of `results/` show what is committed beside them."""

from pathlib import Path

import pytest

from benchmarks.result_figures import model_estimates, models_figure, read, variant_estimates

RESULTS = Path(__file__).parents[2] / "results"
RECIPES = sorted(path.parent.name for path in RESULTS.glob("*/statistics.json"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_committed_figure_and_page_have_the_figures_of_the_run(recipe: str) -> None:
    folder = RESULTS / recipe
    statistics = read(folder / "statistics.json")
    key = "mean_iou" if statistics["task"] == "segmentation" else "accuracy"
    drawn = (folder / "models.svg").read_text(encoding="utf-8")
    for mean, _ in model_estimates(statistics, key).values():
        assert f">{mean * 100:.1f} %</text>" in drawn
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "](models.svg)" in page
    assert f"kdtasks recipe use {recipe}" in page
    assert "**Cost.**" in page


def test_variants_come_by_size_and_refused_ones_are_left_out() -> None:
    def made(size: int, score: float) -> dict[str, object]:
        test = {"accuracy": score, "interval": [score - 0.1, score + 0.1]}
        return {"bytes": size, "refused": None, "test": test}

    variants = {"float32": made(9, 0.5), "int8": made(3, 0.25), "qat": {"refused": "why"}}
    found = variant_estimates({"variants": variants}, "accuracy")
    assert list(found) == ["int8", "float32"]
    assert found["int8"] == (3, (0.25, (0.15, 0.35)))


def test_a_figure_names_models_and_their_numbers() -> None:
    drawn = models_figure({"teacher": (0.9, (0.85, 0.95)), "distill": (0.8, (0.7, 0.9))}, "recall")
    for text in ("teacher", "distilled", "90.0 %", "80.0 %", "test recall"):
        assert text in drawn
