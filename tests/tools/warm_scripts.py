"""Scripts in projects of their own, as stages of a run start: without importing TensorFlow anew."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest

from kdtasks.orchestrate.warm.stages import WarmStages
from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[2]
RunWarm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def warm_stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmStages]:
    """What starts stages, of whatever folder, in forks of one process."""
    folder = tmp_path_factory.mktemp("warm")
    write_params(folder)
    with closing(WarmStages(folder)) as warm:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(ROOT))
            assert warm.words("python -m stages.none")
        yield warm


@pytest.fixture
def run_warm(warm_stages: WarmStages) -> RunWarm:
    """Give a function that runs a script in a folder, in a process of its own."""

    def run(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
        (folder / "stages").mkdir()
        (folder / "stages" / "script.py").write_text(dedent(script), encoding="utf-8")
        words = warm_stages.words("python -m stages.script")
        assert words
        return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)

    return run
