"""Write a search's folder: the page and the figures behind it."""

from pathlib import Path
from typing import Any

from kdtasks.atomic import write_json, write_text
from kdtasks.report.templates import template_environment
from kdtasks.sweep.page import STYLE
from kdtasks.target.wording import COLUMNS, row

HERE = Path(__file__).parent
FOLDER = Path("report") / "target"


def write_page(folder: Path, summary: dict[str, Any]) -> Path:
    """Write index.html and target.json; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "target.json", summary)
    page = folder / "index.html"
    write_text(page, render_page(summary))
    return page


def render_page(summary: dict[str, Any]) -> str:
    """Render the page: one HTML file with its styles inside."""
    return (
        template_environment(HERE)
        .get_template("template.html")
        .render(
            **summary,
            columns=COLUMNS,
            rows=[row(trial) for trial in summary["trials"]],
            style=STYLE.read_text(encoding="utf-8"),
        )
    )
