"""New data come in before the pipeline runs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.refresh import NO_STORE, refresh
from kdtasks.deploy.store.address import alias_key
from kdtasks.params import load_params

pytestmark = pytest.mark.usefixtures("warm_commands")

SIZE = ("image_size: null", "image_size: [8, 8]")


def dvc(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words, "--quiet"], cwd=folder, check=True)


def test_an_import_is_updated_and_what_reads_it_runs(project: Path, prefect_server: str):
    elsewhere = project.parent / "elsewhere"
    elsewhere.write_text("old", encoding="utf-8")
    (project / "source").unlink()
    dvc(project, "import-url", str(elsewhere), "source")
    elsewhere.write_text("new", encoding="utf-8")

    left: Any = refresh(update=False, return_state=True)
    assert left.message == f"5 stages: 1 cached, 4 completed; {NO_STORE}"
    assert (project / "report" / "selection.json").is_file()
    assert (project / "model-0").read_text(encoding="utf-8") == "old"

    brought: Any = refresh(return_state=True)
    assert brought.is_completed()
    assert (project / "model-0").read_text(encoding="utf-8") == "new"


def test_a_source_that_is_gone_is_a_failure_in_words(project: Path, prefect_server: str):
    elsewhere = project.parent / "elsewhere"
    elsewhere.write_text("old", encoding="utf-8")
    (project / "source").unlink()
    dvc(project, "import-url", str(elsewhere), "source")
    elsewhere.unlink()

    state: Any = refresh(return_state=True)
    assert state.is_failed()
    assert state.message.startswith("dvc update ended with status ")
    assert f"dependency '{elsewhere}' does not exist" in state.message
    assert not (project / "a").exists()


def test_images_are_taken_from_a_folder_first(
    project: Path, prefect_server: str, task_states: Callable[..., Any]
):
    new = project.parent / "new" / "cat"
    new.mkdir(parents=True)
    (new / "1.png").write_text("cat", encoding="utf-8")
    refused: Any = refresh(source="../new", return_state=True)
    assert refused.is_failed()
    assert refused.message.startswith("data.source is mnist-5k, which takes no images")
    assert not (project / "a").exists()

    params = project / "params.yaml"
    text = params.read_text(encoding="utf-8")
    for before, after in (("name: mnist-5k", "name: image_folder"), SIZE):
        assert before in text
        text = text.replace(before, after, 1)
    params.write_text(text, encoding="utf-8")
    taken: Any = refresh(source="../new", push=False, publish=False, return_state=True)
    assert taken.message == "4 stages: 4 completed"
    states = task_states(taken.state_details.flow_run_id, 5)
    assert states["ingest"].message == "1 new files, 0 known ones"
    assert (project / "data/raw/cat/1.png").read_text(encoding="utf-8") == "cat"


def test_a_wrong_store_fails_the_night_before_any_stage(
    project: Path, prefect_server: str, monkeypatch: pytest.MonkeyPatch
):
    damaged = project.parent / "damaged"
    alias = damaged / alias_key(load_params(project / "params.yaml").export.name, "production")
    alias.parent.mkdir(parents=True)
    alias.write_text("no alias", encoding="utf-8")
    for address, words in (
        ("gopher://store", "'gopher://store'"),
        (str(project / "not-mounted" / "store"), "mount it or create it first"),
        (str(damaged), "production.json is damaged"),
    ):
        monkeypatch.setenv("KDTASKS_STORE", address)
        state: Any = refresh(update=False, return_state=True)
        assert state.is_failed()
        assert words in state.message
        assert not (project / "a").exists()
