"""Pages show what their benchmarks have measured."""

import pytest

from benchmarks import calls, training_loop
from benchmarks.pages import fill, shown
from kdtasks.core.files import read_json


@pytest.mark.parametrize("measured", [calls, training_loop])
def test_the_page_shows_what_was_measured(measured):
    assert shown(measured.PAGE, measured.COMMAND) == measured.table(read_json(measured.FIGURES))


def test_a_table_takes_its_place_and_no_other(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- one -->\nold\n<!-- end -->\n<!-- two -->\nkept\n<!-- end -->\n")
    fill(page, "one", "new\n")
    assert (shown(page, "one"), shown(page, "two")) == ("new\n", "kept\n")
    assert page.read_text().startswith("above\n<!-- one -->\nnew\n<!-- end -->\n<!-- two -->")
