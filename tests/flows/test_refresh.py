"""New data come in before the pipeline runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from flows.refresh import NO_STORE, refresh


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
