"""The code of each stage of a project, as far as the params that the stage depends on name it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdtasks.core.code import listing
from kdtasks.core.paths import ProjectPaths
from kdtasks.params.text import read_yaml


def listings(root: Path, params: dict[str, Any]) -> dict[str, str]:
    """List the code of each script in `stages/`, by its name, as `kdtasks.core.code.listing` does.

    Args:
        root: folder of the project, with `dvc.yaml`.
        params: all of the project's, as of `model_dump`.

    Raises:
        ParamsError: `dvc.yaml` cannot be read.
    """
    declared, listed = read_yaml(ProjectPaths(root).pipeline)["stages"], {}
    for script in sorted((root / "stages").glob("*.py")):
        stage = declared.get(script.stem, {})
        keys = stage.get("do", stage).get("params", [])
        named = {word for key in keys if isinstance(key, str) for word in _words(_at(params, key))}
        listed[script.stem] = listing(script, root, named)
    return listed


def _at(values: Any, key: str) -> Any:
    for name in key.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _words(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict | list | tuple):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _words(value)
