"""Write the linked folders among the images into `dvc.yaml`, so that DVC looks into them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_text
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.links import find_links
from kdtasks.data.settings import DataParams

BEGIN, END = "# linked folders of images, written by `kdtasks links`", "# end of linked folders"
_BLOCK = re.compile(
    rf"^( *){re.escape(BEGIN)}\n(.*?)^ *{re.escape(END)}\n", re.MULTILINE | re.DOTALL
)


def list_links(project: Path, data: DataParams) -> list[str]:
    """Write every linked folder below `data.path` and `data.unlabelled` into `dvc.yaml`.

    Returns: them, in place of those that were listed before.

    Raises:
        ProjectError: `dvc.yaml` has no place for them.
        DatasetError: a link leads to a folder that it lies in.
    """
    path = ProjectPaths(project).pipeline
    links = find_links([data.path, data.unlabelled], project)
    write_text(path, with_links(path.read_text(encoding="utf-8"), links))
    return links


def with_links(pipeline: str, links: Sequence[str]) -> str:
    """Return the text of `dvc.yaml` with these linked folders as dependencies of `prepare`.

    Raises:
        ProjectError: it does not have the one block that they stand in.
    """

    def block(match: re.Match[str]) -> str:
        return "".join(f"{match[1]}{line}\n" for line in (BEGIN, *map(_dependency, links), END))

    filled, count = _BLOCK.subn(block, pipeline)
    if count != 1:
        raise ProjectError(
            f"dvc.yaml has {count} blocks of linked folders, one was expected; add to the deps of "
            f"prepare the lines `{BEGIN}` and `{END}`"
        )
    return filled


def _dependency(link: str) -> str:
    """Spell a path as YAML and DVC read it back: DVC fills in whatever stands in `${…}`."""
    escaped = link.replace("${", "\\${")
    return f"- {json.dumps(escaped, ensure_ascii=False)}"
