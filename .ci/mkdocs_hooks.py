"""Take `results/` and the changelog into the site, and turn links so that they hold there.

On the disk and on a code host `docs/` and `results/` lie beside each other; in the site `results/`
is below the pages of `docs/`. Links to code, which the site does not hold, become plain text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
SHOWN = {".md", ".png", ".svg", ".json", ".html", ".py", ".yaml"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add what is shown of `results/`, below `results/`."""
    for path in sorted((ROOT / "results").rglob("*")):
        if path.suffix in SHOWN:
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn the links of a page."""
    here = page.file.src_uri
    source = here if here.startswith("results/") else f"docs/{here}"

    def turned(match: re.Match[str]) -> str:
        image, text, link, anchor = match.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if (ROOT / target).is_dir():
            target += "/README.md"
        target = target.removeprefix("docs/")
        if (
            files.get_file_from_path(target) is None
            and (ROOT / source).parent.joinpath(link).exists()
        ):
            return text
        return (
            f"{image}[{text}]({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor})"
        )

    return LINK.sub(turned, markdown)
