"""Find what `dvc import` and `dvc import-url` have brought into a project."""

import os
from pathlib import Path


def find_imports(project: Path) -> list[str]:
    """The .dvc files of imports, relative to the project: those that say where data come from."""
    from ruamel.yaml import YAML

    read = YAML(typ="safe", pure=True).load
    found = []
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(files) if name.endswith(".dvc")):
            if (read(path.read_text(encoding="utf-8")) or {}).get("deps"):
                found.append(path.relative_to(project).as_posix())
    return found
