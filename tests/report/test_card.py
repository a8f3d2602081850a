"""The model card tells what the records tell, section by section."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdtasks.core.files import read_json, write_json
from kdtasks.core.text import percent, percent_range
from kdtasks.report.card import _cell
from tests.report.test_slices import write_slices
from tests.tools.report_projects import VARIANTS

SECTIONS = [
    "Data",
    "Teacher",
    "Training",
    "Variants",
    "Class by class",
    "Slice by slice",
    "Limits",
    "Licences",
    "How to reproduce",
]


def sections(report: Path) -> dict[str, str]:
    """Title to text, of each section."""
    card = (report / "card.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", card, flags=re.MULTILINE)
    return dict(zip(titles, re.split(r"^## .+$", card, flags=re.MULTILINE)[1:], strict=True))


def rows(text: str) -> dict[str, list[str]]:
    """The rows of a table by their first cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in cells} == {len(cells[0])}  # no cell breaks the table
    return {first.strip("*"): rest for first, *rest in cells}


def scored(score: float, interval: list[float]) -> str:
    return f"{percent(score)} ({percent_range(tuple(interval))})"  # type: ignore[arg-type]


def test_figures_are_the_records(build: Callable[..., Path]) -> None:
    report = build(change=write_slices, card={"use": "<b>digits</b>", "data_licence": "CC BY 4.0"})
    found, root = sections(report), report.parent
    assert list(found) == SECTIONS
    dataset = read_json(root / "data/prepared/dataset.json")
    table = rows(found["Data"])
    for name in dataset["class_names"]:
        counts = [dataset["counts"][split]["by_class"][name] for split in table["Images"]]
        assert table[name] == list(map(str, counts))
    described = (root / "data/prepared/dataset.json").read_bytes()
    assert hashlib.sha256(described).hexdigest() in found["Data"]

    compare = read_json(root / "metrics/compare.json")
    teacher = compare["teacher"]
    assert scored(teacher["accuracy"], teacher["interval"]) in found["Teacher"]
    for kind in ("student", "distill"):
        assert scored(compare[kind]["mean"], compare[kind]["interval"]) in found["Training"]
    assert f", {compare['gain']['verdict']}" in found["Training"]

    table, chosen = rows(found["Variants"]), read_json(report / "selection.json")["chosen"]
    assert chosen == "int8"
    evaluations: dict[str, Any] = {}
    for variant in VARIANTS:
        file = root / f"metrics/evaluate/{variant}.json"
        evaluations[variant] = read_json(file)
        accuracy, interval = evaluations[variant]["accuracy"], evaluations[variant]["interval"]
        assert table[variant][0] == scored(accuracy, interval)
        assert hashlib.sha256(file.read_bytes()).hexdigest() in found["How to reproduce"]

    table, by_class = rows(found["Class by class"]), evaluations[chosen]["by_class"]
    for name, row in by_class.items():
        assert table[name] == [
            str(row["images"]), scored(row["recall"], row["interval"]), percent(row["precision"])
        ]  # fmt: skip
    table = rows(found["Slice by slice"])
    assert table["gaussian_noise 5"][-1] == "−6.0\u00a0points, certainly worse"
    assert "Compression to int8 certainly takes more on gaussian_noise 5" in found["Limits"]
    assert "- Data: CC BY 4.0\n- Model: not stated" in found["Licences"]
    assert "- Meant for: &lt;b&gt;digits&lt;/b&gt;" in (report / "card.md").read_text(
        encoding="utf-8"
    )
    assert "params.yaml" in found["How to reproduce"]


def test_where_nothing_is_known_the_sections_say_so(build: Callable[..., Path]) -> None:
    def remove(root: Path) -> None:
        for name in ("compare", *(f"evaluate/{variant}" for variant in VARIANTS)):
            write_json(root / f"metrics/{name}.json", {"refused": "nobody has run it"})
        (root / "data/prepared/dataset.json").unlink()

    found = sections(build(change=remove))
    assert list(found) == SECTIONS
    assert "dataset.json not found" in found["Data"]
    assert "nobody has run it" in found["Teacher"]
    assert "nobody has run it" in rows(found["Variants"])["int8"][0]
    assert "No variant was tested" in found["Class by class"]
    assert "Not measured" in found["Slice by slice"]
    assert "Noise, blur and bad light were not tried" in found["Limits"]


def test_what_comes_from_data_stays_in_its_cell() -> None:
    assert _cell("a | b\nc") == "a \\| b c"
