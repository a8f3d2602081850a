"""A tiny project that trials of students share."""

from pathlib import Path

import pytest

from tests.tools.tuning import make_project


@pytest.fixture(scope="session")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after `targets`. Read only: copy it with `project`."""
    folder = tmp_path_factory.mktemp("tuned") / "project"
    make_project(folder)
    return folder
