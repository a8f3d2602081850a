"""What tests of several packages share."""

import gc
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.tools.s3_servers import ceph_endpoint, moto_endpoint
from tests.tools.warm_commands import command_folder, warm_commands
from tests.tools.warm_scripts import run_warm, warm_stages

__all__ = [  # fixtures
    "ceph_endpoint",
    "command_folder",
    "moto_endpoint",
    "run_warm",
    "warm_commands",
    "warm_stages",
]

# No property fails because a machine is slow or busy, and everybody tries the same examples;
# `--hypothesis-profile default` draws others at every run.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

# starts a grandchild, writes both process ids to the file `pids`, and waits
FAMILY = """
import os, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
pathlib.Path('pids.part').write_text(f'{os.getpid()} {child.pid}')
os.rename('pids.part', 'pids')
print('ready', flush=True)
child.wait()
"""


# Folders whose tests share something that takes long to make, and tests on a real S3 server, of
# which one is enough; the files of others are shared out one by one when tests run side by side
# (`pytest -n auto`). The first is busy while the next two wait most of the time.
_TOGETHER = ("pipeline", "flows", "ceph", "tflite", "teachers")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core, which wait for other processes half of the time, of up to 4 GB each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(2 * len(os.sched_getaffinity(0)), memory // 4_000_000_000))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests that belong together on one worker.

    `--dist loadgroup` would do it by marks, but pytest-xdist 3.8 changes ids of tests for that in
    a way that pytest 9.2 does not heed any more.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # the order is that of the collection
    return Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """Spare the garbage collector all that is imported, and that stays: a tenth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def group_of(nodeid: str) -> str:
    """What a test belongs to, by its id."""
    file, _, name = nodeid.partition("::")
    for folder in Path(file).parts:
        if folder in _TOGETHER:
            return folder
    return "ceph" if "ceph" in re.split(r"[\[\]-]", name) else file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of many workers, begin with what belongs together, then with files of few tests.

    Those are the long ones; at the end the short ones fill all workers alike.
    """
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(group_of(item.nodeid) for item in items)

    def rank(item: pytest.Item) -> tuple[int, int, str]:
        group = group_of(item.nodeid)
        first = _TOGETHER.index(group) if group in _TOGETHER else len(_TOGETHER)
        return first, sizes[group], group

    items.sort(key=rank)


@pytest.fixture(scope="session")
def randomise() -> Callable[..., None]:
    """Give a function that draws every weight of a model, running statistics included."""

    def draw(model: Any, *, seed: int) -> None:
        generator = np.random.default_rng(seed)
        for variable in model.network.weights:
            if len(variable.shape) == 1:
                variable.assign(generator.uniform(0.2, 1.0, variable.shape))
            else:
                fan_in = int(np.prod(variable.shape[:-1]))
                variable.assign(generator.normal(0, (2 / fan_in) ** 0.5, variable.shape))

    return draw


@pytest.fixture(scope="session", autouse=True)
def isolated_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the user's git and DVC settings nor a user's DVC cache reach these tests."""
    home = tmp_path_factory.mktemp("home")
    names = {
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv(
            "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        yield


@pytest.fixture(scope="module", autouse=True)
def same_folder() -> Iterator[None]:
    """A file of tests leaves the process in the folder where it began: others run from there."""
    before = Path.cwd()
    yield
    after = Path.cwd()
    os.chdir(before)
    assert after == before


def is_running(process_id: int) -> bool:
    """Whether a process lives; one that ended and is not collected yet does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def family() -> str:
    """A program that starts another, writes both process ids to the file `pids`, and waits."""
    return FAMILY


@pytest.fixture
def wait_until_gone() -> Callable[[Path], None]:
    """Give a function that waits for the end of the processes in a folder's file `pids`."""

    def wait(folder: Path) -> None:
        pids = [int(word) for word in (folder / "pids").read_text(encoding="utf-8").split()]
        deadline = time.monotonic() + 30
        while any(map(is_running, pids)):
            assert time.monotonic() < deadline, f"still running: {pids}"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def committed_project(isolated_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose stages take no time, under git; nothing has run. Read only: copy it."""
    from tests.orchestrate.sweep.project.make import make_project  # its imports take a while

    return make_project(tmp_path_factory.mktemp("committed") / "project")


@pytest.fixture(scope="session")
def pixel_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Two networks as `.tflite`, one for each pixel (tests/tools/pixel_bundles.py)."""
    from tests.tools.pixel_bundles import convert_pixel_model

    folder = tmp_path_factory.mktemp("pixels")
    return convert_pixel_model(0, folder / "0"), convert_pixel_model(1, folder / "1")


@pytest.fixture(scope="session")
def colour_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Two networks of masks as `.tflite`: a right one, and one that sees blue where it is dark."""
    from tests.tools.segmentation_bundles import convert_colour_model

    folder = tmp_path_factory.mktemp("colours")
    return convert_colour_model(folder / "1"), convert_colour_model(folder / "3", side=3)
