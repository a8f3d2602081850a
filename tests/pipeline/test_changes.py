"""Which stages a change of params makes stale, by DVC's own word on the project's dvc.yaml.

Outputs are placeholders that DVC is told to take as they are: nothing is trained.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[2]
EditParams = Callable[[Path, dict[str, object]], None]

HINT = {"student": "block_1", "teacher": "block_2", "weight": 0.5}
BEHIND = (
    "compress",
    "sensitivity",
    "calibrate",
    "export",
    "evaluate",
    "compare",
    "benchmark",
    "report",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, edit_params: EditParams) -> Path:
    """A project that DVC takes to be up to date."""
    from dvc.repo import Repo

    project = tmp_path_factory.mktemp("changes") / "project"
    project.mkdir()
    for name in ("extensions", "kdtasks", "stages"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns(".*partial*"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, project)
    write_params(project)
    edit_params(project, {"seeds": [0], "targets.features": ["block_2"], "distill.hints": [HINT]})
    for folder in (
        "data/raw",
        "data/raw-unlabelled",
        "data/slices",
        "models/arm",
        "models/import",
        "models/published",
        "models/start",
    ):
        (project / folder).mkdir(parents=True)
        (project / folder / ".gitkeep").touch()
    here = Path.cwd()
    os.chdir(project)
    try:
        lists = [f"{script.stem}.txt" for script in Path("stages").glob("*.py")]
        with Repo.init(no_scm=True) as repo:
            for stage in repo.index.stages:
                for out in stage.outs:
                    path = Path(out.fs_path)
                    # The files inside an output that stages may name as a dependency.
                    inner = {"targets": ["targets.json"], "code": lists}.get(
                        path.name, ["dataset.json"]
                    )
                    for one in [path] if path.suffix else [path / name for name in inner]:
                        one.parent.mkdir(parents=True, exist_ok=True)
                        one.write_text(str(one.relative_to(project)))
            repo.commit(force=True)
            assert repo.status() == {}
    finally:
        os.chdir(here)
    return project


@pytest.fixture
def edited(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project itself, for DVC need not hash it again there; as it was after the test."""
    monkeypatch.chdir(finished)
    params = (finished / "params.yaml").read_bytes()
    yield finished
    (finished / "params.yaml").write_bytes(params)
    shutil.rmtree(finished / "models/start/0", ignore_errors=True)


def rerun(project: Path) -> set[str]:
    """Stages whose inputs have changed, and all that depend on them; without seeds and variants.

    On `code` nothing depends here: it runs, and writes the same, where no other loss is chosen.
    """
    import networkx
    from dvc.repo import Repo, lock_repo

    with Repo(str(project)) as repo, lock_repo(repo):  # which keeps what DVC has read meanwhile
        stale = set(repo.status())
        names = set(stale)
        for stage in repo.index.stages:
            if stage.addressing in stale - {"code"}:  # edges lead from a stage to what it needs
                names |= {one.addressing for one in networkx.ancestors(repo.index.graph, stage)}
        return {name.partition("@")[0] for name in names}


def test_a_project_that_nobody_changed_has_nothing_to_do(finished: Path):
    assert rerun(finished) == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"distill.alpha": 0.9}, []),
        ({"distill.alpha": {"name": "cosine", "start": 0.1, "end": 0.9}}, []),
        ({"distill.temperature": 9.0}, ["prospect"]),
        ({"distill.loss": "dkd"}, ["code", "prospect"]),
        ({"distill.hints": [{**HINT, "weight": 2.0}]}, []),
        ({"distill.hints": []}, []),
        ({"data.train_labels": 50}, ["labels", "prospect", "student"]),  # and no teacher
        ({"targets.batch_size": 100}, ["targets", "prospect"]),
        ({"targets.features": ["block_1", "block_2"]}, ["targets", "prospect"]),
        ({"targets.mode": "online"}, ["preview", "targets", "prospect", "student"]),
        (
            {"augmentation.transforms": ["shift"]},
            ["preview", "teacher", "targets", "prospect", "student"],
        ),
        (
            {"augmentation.transforms": "photo"},
            ["preview", "teacher", "targets", "prospect", "student"],
        ),
        ({"teacher.stop_epoch": 3}, ["teacher", "targets", "prospect"]),
        ({"teacher.ensemble": 2}, ["teacher", "targets", "prospect"]),
        # prepare asks the teacher where images have no label, so it reads how
        (
            {"teacher.input.scaling": "unit"},
            ["prepare", "labels", "preview", "teacher", "targets", "prospect", "student"],
        ),
        ({"train.class_balance": "weights"}, ["teacher", "targets", "prospect", "student"]),
    ],
    ids=str,
)
def test_what_runs_again(
    edited: Path, changes: dict[str, Any], expected: list[str], edit_params: EditParams
):
    edit_params(edited, changes)
    assert rerun(edited) == {*expected, "distill", *BEHIND}


def test_a_further_arm_trains_itself_alone(edited: Path, edit_params: EditParams):
    edit_params(edited, {"distill.arms": ["hard"]})
    assert rerun(edited) == {"arm", "compare", "report"}


def test_a_further_test_folder_trains_nothing(edited: Path, edit_params: EditParams):
    (edited / "night").mkdir()
    edit_params(edited, {"evaluate.slices.folders": {"night": "night"}})
    assert rerun(edited) == {"code", "slice", "evaluate", "compare", "report"}


def test_a_network_to_start_from_trains_the_students_again(edited: Path):
    (edited / "models/start/0").mkdir()
    (edited / "models/start/0/model.json").write_text("{}")
    assert rerun(edited) == {"prospect", "student", "distill", *BEHIND}


def test_the_students_depend_on_the_targets_and_not_on_the_teacher(finished: Path):
    """A teacher whose answers are the same, or stored anew, trains nobody again."""
    yaml = YAML(typ="safe", pure=True)
    stages = yaml.load((finished / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name in ("distill", "compress"):
        assert "data/targets" in stages[name]["deps"]
        assert not [dep for dep in stages[name]["deps"] if dep.startswith("models/teacher")]
    assert "data/targets" not in stages["student"]["deps"]
