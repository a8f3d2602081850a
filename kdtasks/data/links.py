"""Linked folders among the images: DVC looks into one only where `dvc.yaml` names it."""

from collections.abc import Sequence
from pathlib import Path

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import quantity
from kdtasks.data.folders import linked_folders


def find_links(folders: Sequence[str], root: Path = Path()) -> list[str]:
    """List the linked folders below folders such as `data.path`, as `dvc.yaml` names them.

    Args:
        folders: as params name them: from `root`, or absolute.
        root: the project's folder.

    Raises:
        DatasetError: a link leads to a folder that it lies in.
    """
    found = (path for folder in folders for path in _links(root, folder))
    return list(dict.fromkeys(found))


def _links(root: Path, folder: str) -> list[str]:
    top = root / folder
    if not top.is_dir():
        return []
    below = (path.relative_to(top) for path in linked_folders(top))
    return [(Path(folder) / path).as_posix() for path in below]


def unlisted_links(pipeline: Path, folders: Sequence[str]) -> list[str]:
    """List the linked folders that `prepare` does not depend on: DVC takes them for empty.

    Args:
        pipeline: `dvc.yaml`, in the project's folder; where there is none, nobody watches anything.
        folders: as of `find_links`.
    """
    links = find_links(folders, pipeline.parent)
    if not links or not pipeline.is_file():
        return []
    from ruamel.yaml import YAML

    stages = YAML(typ="safe", pure=True).load(pipeline.read_text(encoding="utf-8"))["stages"]
    # a dependency with settings of its own is a mapping
    listed = {Path(dep) for dep in stages["prepare"]["deps"] if isinstance(dep, str)}
    return [link for link in links if Path(link.replace("${", "\\${")) not in listed]


def refuse_unlisted_links(pipeline: Path, folders: Sequence[str]) -> None:
    """Refuse linked folders that `prepare` does not depend on; arguments as of `unlisted_links`.

    Raises:
        DatasetError: there is one.
    """
    if missing := unlisted_links(pipeline, folders):
        raise DatasetError(
            f"{quantity(len(missing), 'folder')} among the images ({', '.join(missing[:3])}"
            f"{' …' if len(missing) > 3 else ''}) lead to another place, where DVC would not see "
            f"that an image has changed, since {pipeline} does not list them; run `kdtasks links`, "
            "which does, and start again"
        )
