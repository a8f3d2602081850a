"""Whose code a warm stage runs: its folder's, whatever was imported before."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from kdtasks.orchestrate.project.project import child_environment
from kdtasks.orchestrate.warm.stages import WarmStages

ROOT = Path(__file__).parents[3]
PACKAGE = "MARK = 'own'\n"
FROM_PACKAGE = """
import sys, kdtasks
print("imported:", "kdtasks.core.errors" in sys.modules, "kdtasks_extensions.mine" in sys.modules)
print("own:", hasattr(kdtasks, "MARK"))
"""
SAY = """
import sys
imported = "kdtasks.learn.training.loop" in sys.modules
from kdtasks.core import said
print(said.WORD, imported)
"""


@pytest.mark.parametrize("place", ["kdtasks/__init__.py", "extensions/mine.py"])
def test_a_folder_with_code_of_its_own_runs_that(
    warm: WarmStages, project: Path, tmp_path: Path, place: str
):
    folders = project, tmp_path / "other"
    shutil.copytree(project / "stages", folders[1] / "stages")
    (folders[1] / place).parent.mkdir()
    (folders[1] / place).write_text(PACKAGE, encoding="utf-8")
    shown = []
    for folder in folders:
        (folder / "stages/from_package.py").write_text(FROM_PACKAGE, encoding="utf-8")
        words = warm.words("python -m stages.from_package") or []
        output = subprocess.check_output(words, cwd=folder, env=child_environment(), text=True)
        shown.append(output.splitlines())
    is_own = place.startswith("kdtasks/")
    assert shown == [
        ["imported: True False", "own: False"],
        ["imported: False False", f"own: {is_own}"],
    ]


def test_code_that_is_edited_later_is_what_runs(tmp_path: Path):
    """Results of the code as it was imported must not be filed under its new hash."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "kdtasks", tmp_path / "kdtasks")
    said = tmp_path / "kdtasks/core/said.py"
    said.write_text("WORD = 'first'", encoding="utf-8")
    (tmp_path / "kdtasks/.#said.py").symlink_to("nobody@nowhere")  # of an editor
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/say.py").write_text(SAY, encoding="utf-8")
    with closing(WarmStages(tmp_path)) as warm:
        words = warm.words("python -m stages.say") or []

        def say() -> str:
            return subprocess.check_output(words, cwd=tmp_path, env=child_environment(), text=True)

        warm.begin()
        warm.settle()
        assert warm.is_ready()
        assert say() == "first True\n"
        said.write_text("WORD = 'afterwards'", encoding="utf-8")
        assert say() == "afterwards False\n"
        said.write_text("WORD = 'first'", encoding="utf-8")
        assert say() == "first True\n"
        # DVC's list of code follows links, and so would a cold stage
        (tmp_path / "kdtasks/data/linked").symlink_to(tmp_path, target_is_directory=True)
        assert say() == "first False\n"


def test_extensions_run_in_stages_alone(project: Path, tmp_path: Path):
    """They may do more than import, after which forking is not safe."""
    folder = tmp_path / "extended"
    shutil.copytree(project, folder)
    (folder / "extensions").mkdir()
    (folder / "extensions/mine.py").write_text(
        "from pathlib import Path\nPath('ran').touch()\n", encoding="utf-8"
    )
    with closing(WarmStages(folder)) as warm:
        words = warm.words("python -m stages.show") or []
        environment = {**child_environment(), "MARK": "set"}
        shown = subprocess.check_output(words, cwd=folder, env=environment, text=True)
    assert shown.splitlines()[1:] == ["tensorflow is there: True True", "kdtasks is there: False"]
    assert not (folder / "ran").exists()
