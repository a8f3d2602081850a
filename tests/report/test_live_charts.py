"""The charts of the page in Chromium: tooltips, what is linked, the filter, the slider."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.chromium import ask, needs_chromium

pytestmark = [needs_chromium, pytest.mark.slow]

_POINTS = """
  const points = () => [...document.querySelectorAll('#limits svg [aria-roledescription="point"]')];
  const outlines = () => points().filter((each) => each.getAttribute("stroke") === "var(--ink)")
    .map((each) => each.getAttribute("aria-label").split(":")[0]);
  const rows = () => [...document.querySelectorAll("#variants .marked")]
    .map((row) => row.cells[0].textContent);
"""


def test_a_point_tells_its_figures_and_its_variant_stands_out_everywhere(
    build: Callable[..., Path],
) -> None:
    asked = f"""
      {_POINTS}
      const labels = points().map((each) => each.getAttribute("aria-label"));
      const before = [outlines(), rows()];
      const point = document.querySelector('#limits [aria-label^="magnitude+int8:"]');
      const move = (kind) => point.dispatchEvent(new PointerEvent(kind, {{ bubbles: true }}));
      move("pointerover");
      move("pointermove");
      await pause();
      const tip = () => document.querySelector("#vg-tooltip-element.visible")?.textContent ?? null;
      const told = tip();
      const pointed = [outlines(), rows()];
      document.dispatchEvent(new KeyboardEvent("keydown", {{ key: "Escape" }}));
      const dismissed = tip();
      move("pointerout");
      await pause();
      const after = [outlines(), rows()];
      document.querySelector('[data-variant="3"]').focus();
      await pause();
      const focused = [outlines(), rows(), document.activeElement.tagName];
      point.dispatchEvent(new MouseEvent("click", {{ bubbles: true }}));
      await pause();
      return {{ labels, before, told, pointed, dismissed, after, focused, hash: location.hash }};
    """
    (told,) = ask(build() / "index.html", asked, (390,))
    assert isinstance(told, dict), told
    assert len(told["labels"]) == 3 * 4
    assert told["before"] == told["after"] == [[], []]
    assert told["told"] == "magnitude+int8: 95.7\u00a0%, 20.3\u00a0kB"
    assert told["pointed"] == [["magnitude+int8"] * 3, ["magnitude+int8"]]
    assert told["dismissed"] is None
    assert told["focused"] == [["filters+int8"] * 3, ["filters+int8"], "TR"]
    assert told["hash"] == "#variant-2"


def test_the_table_sorts_and_its_filter_reaches_the_charts(build: Callable[..., Path]) -> None:
    asked = f"""
      {_POINTS}
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
      within.dispatchEvent(new Event("input", {{ bubbles: true }}));
      await pause();
      const kept = [names(), points().length];
      name.value = "MAGN";
      name.dispatchEvent(new Event("input", {{ bubbles: true }}));
      await pause();
      const texts = [...document.querySelectorAll("#limits svg text")].map((each) =>
        each.textContent).filter((each) => each.includes("int8"));
      return {{ sorts, smallest, largest, kept, matched: [names(), points().length, texts],
        wide: document.documentElement.scrollWidth }};
    """
    (told,) = ask(build(select={"max_accuracy_drop": 0.02}) / "index.html", asked, (390,))
    assert isinstance(told, dict), told
    by_size = ["filters+int8", "int8", "magnitude+int8", "float32"]
    assert told["sorts"] == "BUTTON"
    assert told["smallest"] == ["ascending", by_size]
    assert told["largest"][0] == "descending"
    assert (told["largest"][1][0], told["largest"][1][-1]) == ("float32", "filters+int8")
    assert set(told["kept"][0]) == {"float32", "int8", "magnitude+int8"}
    assert told["kept"][1] == 3 * 3
    assert told["matched"] == [["magnitude+int8"], 3, ["magnitude+int8"] * 3]
    assert told["wide"] <= 390


def test_the_slider_moves_the_ring_along_the_trade_off(build: Callable[..., Path]) -> None:
    asked = """
      const slider = document.getElementById("point");
      const ring = () => document.querySelector('.tradeoff svg path[stroke="var(--ink)"]')
        .getAttribute("transform");
      const spec = JSON.parse(document.querySelector(".tradeoff script").textContent);
      const first = [Number(slider.value) - spec.params[0].value, ring()];
      const go = async (value) => {
        slider.value = value;
        slider.dispatchEvent(new Event("input"));
        await pause();
        return [slider.getAttribute("aria-valuetext"), ring(),
          [...document.querySelectorAll("#operating-point .sample")].map((each) =>
            each.textContent.trim() + (each.classList.contains("late") ? " faint" : ""))];
      };
      return { first, dearest: await go(slider.max), cheapest: await go(slider.min) };
    """
    (told,) = ask(build() / "index.html", asked, (390,))
    assert isinstance(told, dict), told
    (dearest, at_right, latest), (cheapest, at_left, earliest) = told["dearest"], told["cheapest"]
    assert dearest.startswith("accuracy 96.4\u00a0% at 100.0\u00a0% of the compute, 286,000")
    assert dearest.endswith("; 0.0\u00a0% leave early")
    assert cheapest.endswith("; 100.0\u00a0% leave early")
    assert set(earliest) == {"block_1"}
    assert len(latest) == 8
    assert set(latest) <= {"block_1", "block_2", "last faint"}
    assert len(set(latest)) > 1
    assert told["first"][0] == 0
    left, first, right = (
        float(place.removeprefix("translate(").split(",")[0])
        for place in (at_left, told["first"][1], at_right)
    )
    assert left < first < right


def test_nothing_leaves_the_page_and_nothing_is_evaluated(build: Callable[..., Path]) -> None:
    """What the page's own policy forbids is reported to the page."""
    page = build() / "index.html"
    whole = page.read_text(encoding="utf-8")
    listen = (
        "<script>const broken = []; addEventListener('securitypolicyviolation', (event) => "
        "broken.push(event.violatedDirective + ' ' + event.blockedURI));</script></head>"
    )
    page.write_text(whole.replace("</head>", listen, 1), "utf-8")
    asked = """
      const asked = performance.getEntriesByType("resource").map((each) => each.name)
        .filter((each) => !each.startsWith("data:"));
      const alive = document.querySelectorAll(".chart.vega-embed").length;
      const links = document.querySelectorAll('a[href^="http"]').length;
      const before = [...broken];
      try { new Function("return 1")(); } catch { await pause(); }
      return { asked, alive, links, before, after: broken.length };
    """
    (told,) = ask(page, asked, (1280,))
    assert told == {"asked": [], "alive": 4, "links": 0, "before": [], "after": 1}
