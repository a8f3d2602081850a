"""What tests of several parts of the learning share."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def extended(tmp_path: Path) -> Callable[[str, str], str]:
    """Run a script in a project whose `extensions/` holds one module, and give what it prints."""

    def run(extension: str, script: str) -> str:
        (tmp_path / "extensions").mkdir()
        (tmp_path / "extensions" / "own.py").write_text(dedent(extension), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", dedent(script)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
