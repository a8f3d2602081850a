"""Checkpoints: what a killed run needs to end as if it had never been killed."""

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import kdtasks
from kdtasks.core.code import listing
from kdtasks.core.files import atomic_file
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.reproducibility import environment

_ROOT = Path(kdtasks.__file__).resolve().parents[1]


@dataclass(frozen=True)
class TrainingState:
    """The state after a whole epoch.

    Attributes:
        epoch: epochs done.
        arrays: weights of network and optimiser, in their order.
        history: one record an epoch.
        collapsed_epochs: epochs up to this one, in a row, that predicted one class only.
    """

    epoch: int
    arrays: list[np.ndarray]
    history: list[dict[str, float]]
    collapsed_epochs: int = 0


class Checkpoint:
    """One file outside the stage's outputs, replaced after every epoch.

    A checkpoint is taken up only by a run of the same settings, data, code and machine type: its
    fingerprint covers them all, so a resumed run is bit-identical to an uninterrupted one.
    """

    def __init__(self, path: Path, *, settings: Any) -> None:
        """Name the file; `settings` is whatever the run depends on, as JSON."""
        self._path = path
        script = Path(sys.argv[0]).resolve()
        code = _code_hash(script, script.parents[1] if script.parent.name == "stages" else _ROOT)
        content = json.dumps([settings, environment(), code], sort_keys=True, default=str)
        self._fingerprint = hashlib.sha256(content.encode()).hexdigest()

    def save(self, state: TrainingState) -> None:
        """Write the state, whole or not at all."""
        header = {**vars(state), "fingerprint": self._fingerprint}
        arrays = header.pop("arrays")
        with atomic_file(self._path) as partial, partial.open("wb") as file:
            np.savez(file, *arrays, header=np.array(json.dumps(header)))

    def load(self) -> TrainingState | None:
        """Read the state; None where there is none, or it is damaged or belongs to another run."""
        try:
            # From memory, so that a file that is no archive leaves no open handle behind.
            with np.load(io.BytesIO(self._path.read_bytes()), allow_pickle=False) as content:
                header = json.loads(str(content["header"]))
                if header.pop("fingerprint") != self._fingerprint:
                    return None
                arrays = [content[f"arr_{index}"] for index in range(len(content.files) - 1)]
            return TrainingState(arrays=arrays, **header)
        except Exception:  # no file; a damaged one may fail in any way inside its reader
            return None

    def remove(self) -> None:
        """Forget the state, once the stage's outputs are written."""
        self._path.unlink(missing_ok=True)


def files_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the content of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


@cache
def _code_hash(script: Path, root: Path) -> str:
    """SHA-256 over the code that a stage's script runs; for another program, over all there is.

    Args:
        script: what this process runs.
        root: the project's folder, or for another program the one that holds `kdtasks/`.
    """
    if script.parent == root / "stages":
        listed = ProjectPaths(root).code / f"{script.stem}.txt"  # what the stage was held to
        text = listed.read_text("utf-8") if listed.is_file() else listing(script, root)
        return hashlib.sha256(text.encode()).hexdigest()
    files = sorted((root / "kdtasks").rglob("*.py"))
    return files_hash([*files, script] if script.suffix == ".py" and script.is_file() else files)
