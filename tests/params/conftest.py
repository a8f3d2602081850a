"""A valid params file to break in one place."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.params import load_params

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
DELETED = object()


@pytest.fixture(scope="session")
def valid_content() -> dict[str, Any]:
    content: dict[str, Any] = load_params(RECIPE).model_dump(mode="json")
    return content


@pytest.fixture
def changed(valid_content: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """The valid content with one dotted key set, or deleted where no value is given."""

    def change(key: str, value: Any = DELETED) -> dict[str, Any]:
        content = copy.deepcopy(valid_content)
        section = content
        *outer, last = key.split(".")
        for part in outer:
            section = section[part]
        if value is DELETED:
            del section[last]
        else:
            section[last] = value
        return content

    return change
