"""What tests of several parts of the learning share."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.tools.graphs import unoptimized_graphs
from tests.tools.warm_scripts import RunWarm

__all__ = ["unoptimized_graphs"]


@pytest.fixture
def extended(tmp_path: Path, run_warm: RunWarm) -> Callable[[str, str], str]:
    """Run a script in a project whose `extensions/` holds one module, and give what it prints."""

    def run(extension: str, script: str) -> str:
        (tmp_path / "extensions").mkdir()
        (tmp_path / "extensions" / "own.py").write_text(dedent(extension), encoding="utf-8")
        done = run_warm(tmp_path, script)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
