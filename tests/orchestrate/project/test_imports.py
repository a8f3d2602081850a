from pathlib import Path

from kdtasks.orchestrate.project.project import find_imports


def test_imports_are_found_and_data_of_ones_own_are_not(tmp_path: Path):
    files = {
        "data/imported.dvc": "deps: [{path: /elsewhere/images}]\nouts: [{path: imported}]\n",
        "data/own.dvc": "outs: [{path: own}]\n",
        "empty.dvc": "",
        ".venv/lib/imported.dvc": "deps: [{path: x}]\n",
        ".dvc/config": "",
    }
    for name, text in files.items():
        path = tmp_path / ".project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert find_imports(tmp_path / ".project") == ["data/imported.dvc"]
