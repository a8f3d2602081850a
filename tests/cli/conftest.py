"""Tiny DVC projects: seconds where the real pipeline takes minutes."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.cli.main import main
from tests.tools.complete_params import write_params
from tests.tools.dvc_command import dvc, init_dvc

ROOT = Path(__file__).parents[2]

STAGES = """\
stages:
  prepare:
    cmd: python write.py a source
    deps: [source, write.py]
    outs: [a]
  benchmark:
    matrix: {variant: [x, y]}
    cmd: python write.py t-${item.variant} a clock
    deps: [a, write.py]
    outs: ["t-${item.variant}"]
  report:
    cmd: python write.py report/page a t-x t-y
    deps: [a, t-x, t-y]
    outs: [report/page]
"""

# writes its inputs' texts one after another; `clock` stands for the time, and for `a` the
# variable DRIFT, with which a test makes a stage differ from run to run
WRITE = """\
import os, pathlib, sys, time
target, *sources = sys.argv[1:]
read = lambda s: str(time.time_ns()) if s == 'clock' else pathlib.Path(s).read_text()
text = ''.join(read(source) for source in sources)
text += os.environ.get('DRIFT', '') if target == 'a' else ''
pathlib.Path(target).parent.mkdir(exist_ok=True)
pathlib.Path(target).write_text(text)
"""


@pytest.fixture
def kdtasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line with some words: exit status, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["kdtasks", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int | None)
        return status or 0, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that ran once. Read only: copy it with `project`."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    folder.mkdir()
    (folder / "source").write_text("source", encoding="utf-8")
    (folder / "write.py").write_text(WRITE, encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    write_params(folder)
    for watched in (
        "data/raw",
        "data/raw-unlabelled",
        "data/slices",
        "models/arm",
        "models/import",
        "models/start",
    ):
        (folder / watched).mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    init_dvc(folder)
    dvc(folder, "repro", "--quiet")
    return folder


@pytest.fixture
def project(finished_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished project of this test's own; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(finished_project, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run_dvc() -> Callable[..., str]:
    return dvc
