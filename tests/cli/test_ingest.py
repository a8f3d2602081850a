"""New images go where DVC watches, whole or not at all, and nothing is lost there."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.data.settings import DataParams
from kdtasks.data.sources.image_folder import ImageFolder
from kdtasks.data.sources.mnist_5k import Mnist5k
from kdtasks.orchestrate.project.ingest import IngestResult, ingest
from kdtasks.params import load_params

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"


@pytest.fixture
def data() -> DataParams:
    return load_params(RECIPE).data.model_copy(update={"source": ImageFolder()})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that knows cats and dogs."""
    write(tmp_path / "data/raw", {"cat/1.png": "cat 1", "dog/1.png": "dog 1"})
    (tmp_path / "new").mkdir()
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_is_new_is_copied_and_nothing_else(project: Path, data: DataParams):
    new = {"cat/1.png": "cat 1", "cat/2.png": "cat 2", "dog/9.png": "dog 9"}
    write(project / "new", {**new, ".DS_Store": "", "cat/.2.png.part": "half"})
    assert ingest(project / "new", project, data) == IngestResult(copied=2, known=1)
    expected = {**new, "dog/1.png": "dog 1"}
    assert read(project / "data/raw") == expected
    assert ingest(project / "new", project, data) == IngestResult(copied=0, known=3)
    assert read(project / "data/raw") == expected


def test_the_first_images_make_the_classes(project: Path, data: DataParams):
    data = data.model_copy(update={"path": "empty"})
    (project / "empty").mkdir()
    write(project / "new", {"owl/1.png": "owl"})
    assert ingest(project / "new", project, data) == IngestResult(copied=1, known=0)
    assert read(project / "empty") == {"owl/1.png": "owl"}


def test_what_has_no_place_is_all_listed_and_nothing_is_copied(project: Path, data: DataParams):
    before = read(project / "data/raw")
    write(
        project / "new",
        {"cat/1.png": "another", "cat/2.png": "cat 2", "owl/1.png": "owl", "loose.png": ""},
    )
    with pytest.raises(ProjectError) as refused:
        ingest(project / "new", project, data)
    raw = project / "data/raw"
    assert str(refused.value).splitlines() == [
        f"{project / 'new'} cannot be taken into {raw}, nothing was copied:",
        f"  cat/1.png: {raw} has another file of that name; rename one",
        "  loose.png: beside the folders, not in one of them",
        f"  owl/1.png: {raw} has no folder owl; make it there if that is meant",
    ]
    assert read(raw) == before


def test_a_copy_that_was_cut_leaves_nothing_and_goes_on(
    project: Path, data: DataParams, monkeypatch: pytest.MonkeyPatch
):
    write(project / "new", {"cat/2.png": "cat 2", "cat/3.png": "cat 3"})
    # what a killed run may leave, which DVC would see
    write(project / "data/raw", {"cat/.2.partial.png": "ca"})

    def fill_up(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kdtasks.orchestrate.project.ingest.shutil.copy2", fill_up)
        with pytest.raises(OSError, match="No space left"):
            ingest(project / "new", project, data)
    assert set(read(project / "data/raw")) == {"cat/1.png", "dog/1.png"}
    assert ingest(project / "new", project, data) == IngestResult(copied=2, known=0)


def test_data_that_come_from_elsewhere(project: Path, data: DataParams):
    packaged = data.model_copy(update={"source": Mnist5k()})
    with pytest.raises(ProjectError, match=r"data\.source is mnist-5k, which takes no images"):
        ingest(project / "new", project, packaged)
    write(project, {"data/raw.dvc": "deps: [{path: /elsewhere}]\nouts: [{path: raw}]\n"})
    with pytest.raises(ProjectError, match=r"data/raw is an import of DVC's"):
        ingest(project / "new", project, data)


def test_folders_that_cannot_be_taken_from(project: Path, data: DataParams):
    with pytest.raises(ProjectError, match="gone is not a folder"):
        ingest(project / "gone", project, data)
    for folder in ("data/raw/cat", "data"):
        with pytest.raises(ProjectError, match="contains the other"):
            ingest(project / folder, project, data)
