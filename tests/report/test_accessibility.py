"""The page in Chromium: axe-core finds nothing above minor, and what its script does."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
WIDTHS = (390, 800, 1280)


def axe_core() -> Path:
    """The library: where KDTASKS_AXE says, or of the package axe-core-python."""
    if named := os.environ.get("KDTASKS_AXE"):
        return Path(named)
    package = importlib.util.find_spec("axe_core_python")
    assert package
    assert package.origin
    return Path(package.origin).with_name("axe.min.js")


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

# Each frame asks from the inside: a headless window is never as narrow as a phone.
_FRAME = """<script>
addEventListener("load", async () => {{
  const told = await (async () => {{ {asked} }})().catch((error) => `failed: ${{error.stack}}`);
  parent.postMessage(told, "*");
}});
</script>"""
_OUTSIDE = """<!doctype html><title>frames</title>{frames}<script>
addEventListener("message", (event) => {{
  const told = document.createElement("pre");
  told.textContent = JSON.stringify(event.data);
  document.body.append(told);
}});
</script>"""


def ask(page: Path, asked: str, widths: tuple[int, ...], *, dark: bool = False) -> list[object]:
    """Run a function's body in the page, at each width: what it returned."""
    inside = page.with_name("asked.html")
    whole = page.read_text(encoding="utf-8")
    inside.write_text(whole.replace("</body>", f"{_FRAME.format(asked=asked)}</body>"), "utf-8")
    frames = "".join(
        f'<iframe src="{inside.as_uri()}" style="width:{width}px;height:900px"></iframe>'
        for width in widths
    )
    outside = page.with_name("frames.html")
    outside.write_text(_OUTSIDE.format(frames=frames), encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--allow-file-access-from-files", "--virtual-time-budget=60000",
        f"--user-data-dir={page.parent / 'chromium'}", "--window-size=1400,1000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", outside.as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    answers = re.findall(r"<pre>(.*?)</pre>", run.stdout, flags=re.DOTALL)
    assert len(answers) == len(widths), run.stderr[-2000:]
    return [json.loads(unescape(answer)) for answer in answers]


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_above_minor(build: Callable[..., Path], dark: bool) -> None:
    page = build() / "index.html"
    whole = page.read_text(encoding="utf-8")
    library = axe_core().read_text(encoding="utf-8")
    page.write_text(whole.replace("</head>", f"<script>{library}</script></head>"), "utf-8")
    asked = """
      document.querySelectorAll("details").forEach((each) => { each.open = true; });
      const found = await axe.run(document, { resultTypes: ["violations"] });
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      return { width: innerWidth, dark, passes: found.passes.length, violations:
        found.violations.filter((each) => each.impact !== "minor").map((each) =>
          [each.id, each.impact, each.nodes.slice(0, 5).map((node) => node.html)]) };
    """
    for width, told in zip(WIDTHS, ask(page, asked, WIDTHS, dark=dark), strict=True):
        assert isinstance(told, dict), told
        assert (told["dark"], told["violations"]) == (dark, []), width
        assert told["passes"] > 10  # it did look


@needs_chromium
@pytest.mark.slow
def test_the_page_is_worked_by_keyboard_and_holds_on_a_phone(build: Callable[..., Path]) -> None:
    asked = """
      const table = document.getElementById("variants");
      const names = () => [...table.tBodies[0].rows].filter((row) => !row.hidden)
        .map((row) => row.cells[0].textContent);
      const size = table.tHead.rows[0].cells[3];
      size.firstElementChild.focus();
      const sorts = document.activeElement.tagName;
      document.activeElement.click();
      const smallest = [size.getAttribute("aria-sort"), names()];
      document.activeElement.click();
      const largest = [size.getAttribute("aria-sort"), names()];
      const [name, within] = document.querySelectorAll("[data-filters] input");
      within.checked = true;
      within.dispatchEvent(new Event("input", { bubbles: true }));
      const kept = names();
      name.value = "MAGN";
      name.dispatchEvent(new Event("input", { bubbles: true }));
      const matched = names();
      const point = document.querySelector('svg a[data-variant="2"]');
      point.focus();
      const tip = document.querySelector(".tip");
      const told = [tip.hidden, tip.textContent];
      const marked = document.querySelectorAll(".marked").length;
      point.blur();
      const slider = document.getElementById("point");
      slider.value = slider.max;
      slider.dispatchEvent(new Event("input"));
      const leaving = () => [...document.querySelectorAll("#operating-point .sample")].map((each) =>
        each.textContent.trim() + (each.classList.contains("late") ? " faint" : ""));
      const latest = leaving();
      slider.value = slider.min;
      slider.dispatchEvent(new Event("input"));
      const first = leaving();
      const early = slider.getAttribute("aria-valuetext");
      slider.value = slider.max;
      slider.dispatchEvent(new Event("input"));
      return { latest, first, early, sorts, smallest, largest, kept, matched, told, marked,
        hidden: tip.hidden,
        slider: slider.getAttribute("aria-valuetext"),
        cursor: document.querySelectorAll("circle.cursor").length,
        wide: document.documentElement.scrollWidth };
    """
    (told,) = ask(build(select={"max_accuracy_drop": 0.02}) / "index.html", asked, (390,))
    assert isinstance(told, dict), told
    by_size = ["filters+int8", "int8", "magnitude+int8", "float32"]
    assert told["sorts"] == "BUTTON"
    assert told["smallest"] == ["ascending", by_size]
    assert told["largest"][0] == "descending"
    assert (told["largest"][1][0], told["largest"][1][-1]) == ("float32", "filters+int8")
    assert set(told["kept"]) == {"float32", "int8", "magnitude+int8"}
    assert told["matched"] == ["magnitude+int8"]
    assert told["told"] == [False, "magnitude+int8: 95.7\u00a0%, 20.3\u00a0kB"]
    assert told["marked"] == 3 + 1  # a point in each figure, and the row
    assert told["hidden"]
    assert told["slider"].startswith("accuracy 96.4\u00a0% at 100.0\u00a0% of the compute, 286,000")
    assert told["slider"].endswith("; 0.0\u00a0% leave early")
    assert told["early"].endswith("; 100.0\u00a0% leave early")
    assert set(told["first"]) == {"block_1"}
    assert len(told["latest"]) == 8
    assert set(told["latest"]) <= {"block_1", "block_2", "last faint"}
    assert len(set(told["latest"])) > 1
    assert told["cursor"] == 1
    assert told["wide"] <= 390
