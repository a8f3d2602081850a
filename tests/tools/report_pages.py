"""The report's page: its tags, and what a person reads."""

import re
from html.parser import HTMLParser
from pathlib import Path


class Outline(HTMLParser):
    """Checks that tags are closed in order; collects ids and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "img", "input"):
            self.open.append(tag)
        self.ids += [value or "" for name, value in attributes if name == "id"]
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    return parser


def text_of(report: Path) -> str:
    """The page's words without tags, styles and images, spaces made plain."""
    page = (report / "index.html").read_text(encoding="utf-8")
    page = re.sub(
        r"<style>.*?</style>|<script.*?</script>|<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL
    )
    return " ".join(page.replace("&nbsp;", " ").split())
