"""Files that DVC locks by, and its dvc.lock: of another process, of an older version, or torn."""

import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.rwlock import RWLockFileCorruptedError

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.doctor import check_dvc
from kdtasks.orchestrate.runner.graph import StageState
from kdtasks.orchestrate.runner.repository import Repository
from tests.orchestrate.runner.conftest import run_all, states
from tests.tools.dvc_command import dvc


def test_nobody_else_touches_the_files_meanwhile(diamond: Path):
    run_all(diamond)
    repository = Repository(diamond, force=True)
    repository.plan()
    repository.start()
    other = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"], cwd=diamond, capture_output=True, text=True
    )
    assert other.returncode != 0
    assert "is busy" in other.stderr
    repository.close()
    assert "up to date" in dvc(diamond, "repro")


def test_another_process_at_work_is_named(diamond: Path):
    run_all(diamond)
    (diamond / ".dvc/tmp/rwlock").write_text(
        '{"write": {"%s": {"pid": 1, "cmd": "init"}}}' % (diamond / "out/left"), encoding="utf-8"
    )
    repository = Repository(diamond)
    repository.plan()
    with pytest.raises(ProjectError, match=r"(?s)DVC is running here already.*is busy.*PID 1"):
        repository.start()
    repository.close()


@pytest.mark.parametrize("text", ["", '{"write": {"out/left": {"pid": 4194304, "cmd": "dv'])
def test_a_list_of_locks_that_a_kill_cut_short_is_removed(
    diamond: Path, text: str, caplog: pytest.LogCaptureFixture
):
    run_all(diamond)
    torn = diamond / ".dvc/tmp/rwlock"
    torn.write_text(text, encoding="utf-8")
    assert check_dvc(diamond).message == ".dvc/tmp/rwlock was cut short by a kill"
    with pytest.raises(RWLockFileCorruptedError):  # the danger is real
        Repo(str(diamond)).status()
    assert states(run_all(diamond)) == [StageState.CACHED] * 4
    assert f"{torn}, which a kill had cut short, was removed" in caplog.text
    assert check_dvc(diamond).level == "ok"


def test_a_list_of_locks_stays_while_a_process_that_it_names_runs(diamond: Path):
    torn = diamond / ".dvc/tmp/rwlock"
    torn.parent.mkdir()
    torn.write_text('{"read": {"source": [{"pid": 1, "cmd"', encoding="utf-8")
    repository = Repository(diamond)
    with pytest.raises(ProjectError, match=r"rwlock is cut short, and process 1, which it names"):
        repository.plan()
    repository.close()
    assert torn.exists()


OLDER = """\
schema: '2.0'
stages:
  gone:
    cmd: echo gone
    outs:
    - path: gone
      md5: d41d8cd98f00b204e9800998ecf8427e
      size: 0
  last:
    cmd: sh work.sh 0.0 out/last out/left out/right
    deps:
    - path: work.sh
      md5: 0123456789abcdef0123456789abcdef
      size: 1
    outs:
    - path: out/last
      md5: 0123456789abcdef0123456789abcdef.dir
      size: 1
      nfiles: 1
"""


def test_a_lock_file_of_an_older_version_is_brought_up_to_date_as_dvc_does(
    diamond: Path, tmp_path: Path
):
    """Entries without `hash: md5` are of DVC 2, whose hashes were of text without CR."""
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", str(diamond), str(other)], check=True)
    for project in (diamond, other):
        (project / "dvc.lock").write_text(OLDER, encoding="utf-8")
    assert states(run_all(diamond)) == [StageState.COMPLETED] * 4
    dvc(other, "repro")
    assert (diamond / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()


def test_a_lock_file_that_is_no_lock_file_is_one_error(diamond: Path):
    (diamond / "dvc.lock").write_text("stages: [", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"dvc\.lock"):
        Repository(diamond).plan()


def test_a_note_of_the_order_that_was_cut_is_forgotten(diamond: Path):
    (diamond / ".dvc/tmp").mkdir(exist_ok=True)
    (diamond / ".dvc/tmp/kdtasks-lock-order.json").write_text("", encoding="utf-8")
    assert states(run_all(diamond)) == [StageState.COMPLETED] * 4


def test_a_lock_file_that_somebody_spoils_meanwhile_is_one_error(diamond: Path):
    repository = Repository(diamond)
    repository.plan()
    repository.start()
    (diamond / "dvc.lock").write_text("<<<<<<< a\nschema: [", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"dvc\.lock"):
        repository.close()
    (diamond / "dvc.lock").unlink()
    assert "Running" in dvc(diamond, "repro")  # nothing is held any more
