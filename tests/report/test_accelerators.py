"""What accelerators take of every variant, on the page."""

from collections.abc import Callable
from pathlib import Path

from kdtasks.core.files import read_json, write_json

SYSTEM = "Deep, Sram_Only, 200 MHz"
TAKEN = {
    "accelerated": 3,
    "left": 0,
    "fallbacks": [],
    "cycles": 3976,
    "milliseconds": 0.5,
    "sram": 2576,
    "flash": 1776,
    "dram": 0,
    "system": SYSTEM,
}
LEFT = {
    "accelerated": 0,
    "left": 1,
    "fallbacks": [{"operator": "ELU", "tensor": "head", "reason": "strides < 3 alone"}],
    "system": SYSTEM,
}


def test_the_page_shows_what_accelerators_take(build: Callable[..., Path]):
    def ask(root: Path) -> None:
        for path in (root / "metrics/benchmark").iterdir():
            segments = {"segment_0": TAKEN, "segment_1": LEFT}
            fit = {"source": "Vela\u2019s estimate", "segments": segments}
            write_json(path, {**read_json(path), "targets": {"ethos-u55-128": fit}})

    page = (build(change=ask) / "index.html").read_text(encoding="utf-8")
    section = page.partition("<h3>On ethos-u55-128, on paper</h3>")[2].partition("</p>")[0]
    rows = section.count("<td>segment_0</td>")
    assert rows == section.count("<td>segment_1</td>") == section.count("<td>3,976</td>") > 1
    assert section.count("ELU<small>head: strides &lt; 3 alone</small>") == rows
    assert f"From Vela\u2019s estimate, {SYSTEM}: nothing was run on one." in section
