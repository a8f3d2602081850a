"""Images fit into a page: themed, without foreign parts, labels apart."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kdtasks.report.drawing import Colour, draw, spread


def test_a_image_is_themed_and_self_contained() -> None:
    svg = draw("pic", 'a "b" <c>', lambda axes: axes.plot([0, 1], [0, 1], color=Colour.DISTILL))
    assert svg.startswith('<svg viewBox="')
    assert 'aria-label="a &quot;b&quot; &lt;c&gt;"' in svg
    assert "var(--distill)" in svg
    assert "#0a0b0" not in svg
    assert not re.search(r"<style|<metadata|font-family|http|xlink|<\?xml|<!--", svg)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(name.startswith("pic-") for name in ids)
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
    assert used
    assert {a or b for a, b in used} <= set(ids)


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_labels_are_spread_without_changing_their_order(values: list[float], gap: float) -> None:
    places = spread(values, gap)
    assert all(place >= value for place, value in zip(places, values, strict=True))
    ordered = sorted(places)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(ordered))


def test_labels_that_are_apart_stay() -> None:
    assert spread([0.5, 0.1, 0.52], 0.1) == [0.5, 0.1, 0.6]
