"""A tiny project that trials of students share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after `targets`. Read only: copy it with `project`."""
    from tests.tools.tuning import make_project  # no other tests wait for what it imports

    folder = tmp_path_factory.mktemp("tuned") / "project"
    make_project(folder)
    return folder
