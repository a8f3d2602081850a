"""Images of another size are prepared in a clone, once."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kdtasks.orchestrate.students import projects
from kdtasks.orchestrate.students.projects import make_projects


def test_the_own_size_is_the_projects(tmp_path: Path):
    (tmp_path / "params.yaml").touch()
    own: dict[tuple[int, int] | None, Path] = {None: tmp_path, (8, 8): tmp_path}
    assert make_projects(tmp_path, own, [(8, 8), None], pytest.fail) == own


@pytest.mark.slow
def test_another_size_has_a_clone_with_what_trainings_read(
    committed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The stages of this project take no time; `targets` it has none."""
    project, trace = tmp_path / "project", tmp_path / "TRACE"
    shutil.copytree(committed_project, project, symlinks=True)
    monkeypatch.chdir(project)
    monkeypatch.setenv("TRACE", str(trace))
    monkeypatch.setattr(projects, "NEEDED", ("labels",))
    told: list[str] = []
    found = make_projects(project, [None], [None, (4, 6)], told.append)
    assert told == ["images of 4x6: labels"]
    place = found[(4, 6)]
    content = YAML(typ="safe").load(place / "params.yaml")
    assert content["data"]["image_size"] == [4, 6]
    assert (place / "data" / "labelled.npy").is_file()
    assert not (project / "data" / "labelled.npy").exists()
    ran = trace.read_text(encoding="utf-8")
    assert make_projects(project, [None], [(4, 6)], told.append) == {None: project, (4, 6): place}
    assert trace.read_text(encoding="utf-8") == ran
