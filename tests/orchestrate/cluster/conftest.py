"""A project, a scheduler and three workers for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools import dask_workers
from tests.tools.dask_workers import Worker, running_scheduler, running_workers


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a remote in S3, where nothing has run."""
    return dask_workers.make_project(tmp_path_factory.mktemp("head") / "project")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler of Dask."""
    with running_scheduler(tmp_path_factory.mktemp("scheduler")) as address:
        yield address


@pytest.fixture(scope="module")
def workers(
    scheduler: str, moto_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Worker]]:
    """Three workers, whose stages wait where the project's do."""
    folder = tmp_path_factory.mktemp("workers")
    with running_workers(3, folder, scheduler, moto_endpoint) as started:
        yield started
