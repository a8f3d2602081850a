"""What the page says of variants: passes, limits, exits, promises, refusals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.files import read_json, write_json
from tests.tools.report_pages import outline, text_of


def test_passes_say_how_to_read_their_variants(build: Callable[..., Path]) -> None:
    words = text_of(build(compress={"variants": ["int8", "space_to_depth+int8"]}))
    assert "Variants with space_to_depth compute the same numbers as those without;" in words
    assert "Variants with" not in text_of(build(folder="without"))


def test_no_variant_within_the_limits(build: Callable[..., Path]) -> None:
    limits = {"max_size_kb": 10.0, "max_accuracy_drop": 0.02, "objective": "size"}
    report = build(select=limits)
    words = text_of(report)
    assert "nothing is shipped, no variant is within the limits" in words
    assert "filters+int8 comes nearest" in words
    assert "Early exits of filters+int8" in words
    assert read_json(report / "selection.json")["chosen"] is None


def test_images_of_each_exit_and_of_changed_answers(build: Callable[..., Path]) -> None:
    report = build()
    evaluate = read_json(report.parent / "metrics/evaluate/int8.json")
    changed = evaluate["changed"]
    words = text_of(report)
    assert f"block_1 {evaluate['exits'][0]['exit_rate'] * 100:.1f} % leave here" in words
    assert (
        f"{changed['rows']} of 1,000 images left early with another answer than the last exit "
        f"gives: the early exit is right in {changed['early_right']}, the last one in "
        f"{changed['last_right']}"
    ) in words
    page = (report / "index.html").read_text(encoding="utf-8")
    strips = page.split("<h3>Who leaves where</h3>")[1].split("<h2>")[0]
    assert strips.count("<img ") == 3 * 12 + min(12, changed["rows"])
    assert f"{evaluate['saved'] * 100:.1f} % saved" in words

    def nobody_changed(root: Path) -> None:
        path = root / "plots/examples/int8.npz"
        with np.load(path) as arrays:
            left = arrays["group"] < 3
            np.savez(
                path,
                **{
                    name: array if name.startswith("mistakes") else array[left]
                    for name, array in arrays.items()
                },
            )

    agreed = text_of(build(folder="agreed", change=nobody_changed))
    assert "Nobody: every image that left early has the answer that the last exit" in agreed


@pytest.mark.parametrize("certified", [True, False])
def test_a_guarantee_is_told_or_that_there_is_none(
    build: Callable[..., Path], certified: bool
) -> None:
    def promise(root: Path) -> None:
        path = root / "exits/int8/calibration.json"
        guarantee = {
            "risk": "consistency", "epsilon": 0.02, "delta": 0.1, "certified": certified,
            "p_value": 0.05 if certified else None, "loss": 0.01, "rows": 1250,
            "candidates": {"found": 5, "certified": int(certified)},
            "statement": "What is <promised>.",
        }  # fmt: skip
        write_json(path, {**read_json(path), "mode": "guarantee", "guarantee": guarantee})

    words = text_of(build(change=promise))
    assert "What is &lt;promised&gt;." in words
    assert ("certified on 1,250 of them that chose nothing" in words) == certified
    assert "chose nothing" not in text_of(build(folder="without"))


def test_network_without_early_exits(build: Callable[..., Path]) -> None:
    words = text_of(build(exits=1))
    assert "This network has one exit, so every image takes the whole network." in words
    assert "less compute" not in words


def test_where_no_image_leaves_early_one_sentence_says_so(build: Callable[..., Path]) -> None:
    def stay(root: Path) -> None:
        path = root / "metrics/evaluate/int8.json"
        write_json(path, {**read_json(path), "cost": 1.0})

    report = build(change=stay)
    words = text_of(report)
    section = words.split("Early exits of int8")[1].split("How close each file")[0]
    assert section.strip() == (
        "With the thresholds chosen on the calibration split no test image leaves before the last "
        "exit, so every image takes the whole network; a larger exits.max_accuracy_drop lets "
        "images leave."
    )
    assert "no image leaves early" in words
    assert "leave out" not in words
    assert read_json(report / "statistics.json")["variants"]["int8"]["exit_change"]["cost"] == 1


def test_refused_variant_is_shown_with_its_reason(build: Callable[..., Path]) -> None:
    def refuse(root: Path) -> None:
        for folder in ("compress", "export", "evaluate", "benchmark"):
            refused = {"refused": "no int8 <op>"}
            write_json(root / "metrics" / folder / "int8.json", refused)
        write_json(root / "exits/int8/calibration.json", {"refused": "no int8 <op>"})
        (root / "exits/int8/tradeoff.csv").unlink()

    report = build(change=refuse)
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "Not built: no int8 &lt;op&gt;" in page
    assert outline(page).open == []
    selection = read_json(report / "selection.json")
    assert selection["candidates"]["int8"]["reasons"] == ["no int8 <op>"]
    assert selection["chosen"] == "magnitude+int8"


def test_a_file_too_far_from_its_network_is_told_and_not_chosen(build: Callable[..., Path]) -> None:
    far = "the logits of exit 2 of 3 are off by 58 %, 25 % are allowed (max_logit_error)"

    def refuse(root: Path) -> None:
        metrics = root / "metrics/compress/filters+int8.json"
        content = read_json(metrics)
        exits = content["parity"]["exits"]
        exits[1] = {"error": 0.5843, "changed": 0.0333, "interval": [0.0181, 0.0604]}
        write_json(metrics, {**content, "parity": {**content["parity"], "set_ranges": True}})
        for name in ("export", "evaluate", "benchmark"):
            write_json(root / f"metrics/{name}/filters+int8.json", {"refused": far})
        write_json(root / "exits/filters+int8/calibration.json", {"refused": far})

    limits = {"max_accuracy_drop": None, "objective": "latency"}
    assert read_json(build(folder="sound", select=limits) / "selection.json")["chosen"] == (
        "filters+int8"
    )
    report = build(change=refuse, select=limits)
    words = " ".join(text_of(report).split()).replace("\u200b", "")
    table = words[words.index("How close each file is to its network") :]
    assert "block_2 58.43 % 3.3 % 1.8 – 6.0 % last 1.74 % 1.0 % 0.3 – 2.9 %" in table
    assert f"filters+int8 block_1 1.74 % 1.0 % 0.3 – 2.9 % 300 set its ranges {far}" in table
    assert "int8 block_1 1.74 % 1.0 % 0.3 – 2.9 % 300 within the limits" in table
    assert "new images may show a larger error" in table
    selection = read_json(report / "selection.json")
    assert selection["candidates"]["filters+int8"]["reasons"] == [far]
    assert selection["chosen"] == "int8"
    statistics = read_json(report / "statistics.json")
    assert statistics["variants"]["filters+int8"]["parity"]["exits"][1]["error"] == 0.5843
