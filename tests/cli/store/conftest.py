"""A store in a folder, and a small bundle."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.files import write_json
from kdtasks.edge.bundle_files import SBOM
from kdtasks.edge.manifest import Manifest


@pytest.fixture(autouse=True)
def isolated_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "KDTASKS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KDTASKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


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
