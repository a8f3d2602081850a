"""An upgrade brings files and hashes to the installed package, and says what will run again."""

import hashlib
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kdtasks.core import installed
from kdtasks.core.errors import ParamsError, ProjectError
from kdtasks.core.installed import refuse_other_code
from kdtasks.orchestrate.project import template
from kdtasks.orchestrate.project.template import upgrade, write_project
from kdtasks.params import load_params
from kdtasks.params.listings import listings
from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[3]
LOOP = "kdtasks/learn/training/loop.py"
LOCK = """\
schema: '2.0'
stages:
  prepare:
    cmd: python -m stages.prepare
    outs: [{path: data/prepared, hash: md5, md5: '1'}]
  distill@0:
    cmd: python -m stages.distill 0
    deps:
    - {path: data/prepared, hash: md5, md5: '1'}
    - {path: data/code/distill.txt, hash: md5, md5: DISTILL}
    outs: [{path: models/distill/0, hash: md5, md5: '2'}]
  report:
    cmd: python -m stages.report
    deps:
    - {path: models/distill, hash: md5, md5: '2'}
    - {path: data/code/report.txt, hash: md5, md5: REPORT}
    outs: [{path: report/index.html, hash: md5, md5: '3'}]
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `init` leaves it; read only, copy it with `project`."""
    folder = tmp_path_factory.mktemp("written") / "project"
    template.make_watched(folder)
    write_project(folder)
    write_params(folder)
    return folder


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture(scope="module")
def lists(written: Path) -> dict[str, str]:
    """The code of every stage of the project."""
    return listings(written, load_params(written / "params.yaml").model_dump())


@pytest.fixture
def run(project: Path, lists: dict[str, str]) -> Path:
    """The project after a run: its code is listed, and dvc.lock says which lists were used."""
    lock = LOCK
    for stage in ("distill", "report"):
        text = lists[stage]
        (project / "data/code").mkdir(exist_ok=True)
        (project / f"data/code/{stage}.txt").write_text(text, encoding="utf-8")
        lock = lock.replace(stage.upper(), hashlib.md5(text.encode()).hexdigest())
    (project / "dvc.lock").write_text(lock, encoding="utf-8")
    return project


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a later version: one of code differs, and two of those of a project."""
    folder, files = tmp_path / "later", dict(template._files())
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("stages/report.py", "flows/drift.py"):
        (folder / name).write_text(files[name] + "# later\n", encoding="utf-8")
    (folder / "flows" / "artifacts.py").unlink()
    shutil.copytree(installed.PACKAGE, folder / "kdtasks")
    with (folder / LOOP).open("a", encoding="utf-8") as file:
        file.write("# later\n")
    changed = {**installed.package_hashes(), LOOP: "12"}
    monkeypatch.setattr(template, "template_folder", lambda: folder)
    monkeypatch.setattr(installed, "package_hashes", lambda: changed)
    monkeypatch.setattr("kdtasks.core.code._INSTALLED", folder)
    return folder


def test_its_stages_are_those_of_a_clone_but_for_where_code_is_looked_for(project: Path):
    read = YAML(typ="safe", pure=True).load
    there, here = (read((it / "dvc.yaml").read_text("utf-8")) for it in (ROOT, project))
    assert here["stages"]["code"].pop("deps") == ["extensions", "code/installed", "stages"]
    del there["stages"]["code"]["deps"]
    assert here == there


def test_without_a_change_nothing_is_done(run: Path, project: Path):
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = upgrade(project)
    assert (done.written, done.kept, done.added, done.reruns) == ([], [], [], {})
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_it_says_what_runs_again_and_why(run: Path, project: Path, other_package: Path):
    with pytest.raises(ProjectError, match="run `kdtasks upgrade`"):
        refuse_other_code(project)
    done = upgrade(project)
    assert done.written == ["flows/artifacts.py", "flows/drift.py", "stages/report.py"]
    assert done.reruns == {"distill": [LOOP], "report": ["stages/report.py"]}
    assert done.following == []
    assert (project / "stages/report.py").read_text("utf-8").endswith("# later\n")
    assert not (project / "flows" / "artifacts.py").exists()
    refuse_other_code(project)


def test_where_the_lists_are_not_here_the_lock_tells_what_runs_again(
    run: Path, project: Path, other_package: Path
):
    assert upgrade(project).reruns.keys() == {"distill", "report"}
    shutil.rmtree(project / "data/code")
    assert upgrade(project).reruns == {"distill": [], "report": []}


def test_what_follows_is_told(run: Path, project: Path, other_package: Path):
    shutil.copy(project / "stages/report.py", other_package / "stages/report.py")
    done = upgrade(project)
    assert (list(done.reruns), done.following) == (["distill"], ["report"])


def test_own_edits_stay(project: Path, other_package: Path):
    for name in ("stages/report.py", "stages/labels.py"):
        path = project / name
        path.write_text(path.read_text("utf-8") + "# mine\n", encoding="utf-8")
    done = upgrade(project)
    assert done.kept == ["stages/report.py"]  # of the other there is no new version
    assert (project / "stages/report.py").read_text("utf-8").endswith("# mine\n")
    assert (project / "stages/report.py.new").read_text("utf-8").endswith("# later\n")
    assert not (project / "stages/labels.py.new").exists()


def test_what_is_filled_in_for_a_project_is_no_edit(project: Path, other_package: Path):
    pipeline = (other_package / "dvc.yaml").read_text("utf-8")
    (other_package / "dvc.yaml").write_text(f"# later\n{pipeline}", encoding="utf-8")
    done = upgrade(project)
    assert "dvc.yaml" in done.written
    text = (project / "dvc.yaml").read_text("utf-8")
    assert text.startswith("# later\n")
    assert "      - code/installed\n" in text
    assert "kdtasks/learn" not in text


def test_keys_that_params_lack_are_added_and_values_stay(project: Path):
    params = project / "params.yaml"
    text = params.read_text("utf-8")
    line = next(line for line in text.splitlines() if line.strip().startswith("near_copies:"))
    params.write_text(text.replace(f"{line}\n", "").replace("300", "299"), encoding="utf-8")
    done = upgrade(project)
    assert done.added == ["data.near_copies: true"]
    after = params.read_text("utf-8")
    assert line in after
    assert "train_labels: 299" in after
    assert "near_copies:" not in (project / "params.yaml.bak").read_text("utf-8")


def test_what_cannot_be_upgraded_is_refused_before_anything_changes(
    project: Path, tmp_path: Path, other_package: Path
):
    with pytest.raises(ProjectError, match="is a clone of kdtasks and runs its own code"):
        upgrade(ROOT)
    with pytest.raises(ProjectError, match="`kdtasks init` did not begin this project"):
        upgrade(tmp_path)
    (project / "params.yaml").write_text("recipe: 7\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    with pytest.raises(ParamsError, match="recipe"):
        upgrade(project)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_folders_that_dvc_watches_are_made(project: Path):
    (project / "models/published/.gitkeep").unlink()
    (project / "models/published").rmdir()
    upgrade(project)
    assert (project / "models/published/.gitkeep").is_file()
