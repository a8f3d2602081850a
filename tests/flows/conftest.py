"""A tiny three-stage DVC project, and one Prefect server for the whole session."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# flows/ is a folder of the project, not a part of the installed package
sys.path.insert(0, str(ROOT))

STAGES = """\
stages:
  prepare:
    cmd: python -c "import shutil; shutil.copy('source', 'a')"
    deps: [source]
    outs: [a]
  distill:
    matrix: {seed: [0, 1]}
    cmd: python distill.py ${item.seed}
    deps: [a, distill.py]
    outs: ["model-${item.seed}"]
  report:
    cmd: python -c "import shutil; shutil.copy('model-0', 'page')"
    deps: [model-0, model-1]
    outs: [page]
"""
DISTILL = "import shutil, sys; shutil.copy('a', f'model-{sys.argv[1]}')\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """prepare → distill@0, distill@1 → report; also the current folder."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in {
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "source").write_text("source", encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    (folder / "distill.py").write_text(DISTILL, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One temporary Prefect server with a database of its own; it starts in about 20 s."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield
