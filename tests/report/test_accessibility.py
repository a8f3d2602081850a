"""The page in Chromium: axe-core finds nothing above minor."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.chromium import ask, needs_chromium

WIDTHS = (390, 800, 1280)


def axe_core() -> Path:
    """The library: where KDTASKS_AXE says, or of the package axe-core-python."""
    if named := os.environ.get("KDTASKS_AXE"):
        return Path(named)
    package = importlib.util.find_spec("axe_core_python")
    assert package
    assert package.origin
    return Path(package.origin).with_name("axe.min.js")


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_above_minor(build: Callable[..., Path], dark: bool) -> None:
    page = build() / "index.html"
    whole = page.read_text(encoding="utf-8")
    library = axe_core().read_text(encoding="utf-8")
    page.write_text(whole.replace("</head>", f"<script>{library}</script></head>", 1), "utf-8")
    asked = """
      document.querySelectorAll("details").forEach((each) => { each.open = true; });
      const point = document.querySelector('#limits [aria-label^="int8:"]');
      point.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
      const tip = document.querySelector("#vg-tooltip-element.visible")?.textContent;
      const found = await axe.run(document, { resultTypes: ["violations"] });
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      return { width: innerWidth, dark, tip, passes: found.passes.length, violations:
        found.violations.filter((each) => each.impact !== "minor").map((each) =>
          [each.id, each.impact, each.nodes.slice(0, 5).map((node) => node.html)]) };
    """
    for width, told in zip(WIDTHS, ask(page, asked, WIDTHS, dark=dark), strict=True):
        assert isinstance(told, dict), told
        assert (told["dark"], told["violations"]) == (dark, []), width
        assert told["passes"] > 10  # it did look
        assert told["tip"] == "int8: 96.4\u00a0%, 20.3\u00a0kB"
