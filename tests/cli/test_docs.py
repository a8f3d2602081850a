"""docs/cli.md is what the commands say of themselves."""

from pathlib import Path

from kdtasks.cli.docs import render_reference
from kdtasks.cli.group import lazy_group
from kdtasks.cli.main import app, root

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == render_reference(), (
        "run `python -m kdtasks.cli.docs > docs/cli.md`"
    )


def test_every_command_has_its_heading_and_options_of_its_own():
    page = render_reference()
    for name in lazy_group(app, root).commands:
        assert f"\n## `kdtasks {name}`\n" in page
    assert "`--max-size-kb <float>`" in page
    assert "Show this message and exit" not in page
