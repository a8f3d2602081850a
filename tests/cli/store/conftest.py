"""A store in a folder, the command line called in this process, and a small bundle."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.cli.main import main
from kdtasks.core.files import write_json
from kdtasks.edge.bundle_files import SBOM
from kdtasks.edge.manifest import Manifest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def isolated_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "KDTASKS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KDTASKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def kdtasks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
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


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a bundle; `text` makes its model differ."""

    def write(text: str = "1", **changes: Any) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir(exist_ok=True)
        content = text.encode() * 1000
        manifest = Manifest(
            name="digits",
            variant="int8",
            task="classification",
            class_names=("a", "b"),
            input={"shape": [1, 1, 1], "dtype": "uint8", "range": [0, 255]},
            segments=1,
            score="max_probability",
            temperatures=(1.0,),
            thresholds=(),
            calibration={},
            macs=(1,),
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            dataset_sha256="0" * 64,
            parameters={},
            libraries={},
        )
        (folder / "model.tflite").write_bytes(content)
        (folder / "labels.txt").write_text("a\nb\n")
        (folder / SBOM).write_text("{}")
        write_json(folder / "manifest.json", {**manifest.to_json(), **changes})
        return folder

    return write
