"""A model on disk: its weights, and the params that build it again."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdtasks.core.errors import ModelError, ParamsError
from kdtasks.core.files import atomic_folder, write_json
from kdtasks.core.records.training import Training
from kdtasks.learn.networks.build import BuiltModel, HeadParams, NetworkDescription, build
from kdtasks.learn.networks.safe_hdf5 import check_hdf5

_WEIGHTS = "model.weights.h5"
_DESCRIPTION = "model.json"
_ADVICE = "run the stage that writes it (`dvc repro`)"

# Endings of files of a network's own layers or weights.
NETWORK_FILES = (".keras", ".h5", ".hdf5")

# Where stages write; a stage cannot start from what it is about to replace.
_WRITTEN = ("teacher", "student", "distill", "compress")


def save_model(folder: Path, model: BuiltModel) -> None:
    """Write `model.weights.h5` and `model.json`; the same weights give the same bytes."""
    content = model.description.model_dump(mode="json")
    if model.description.layers is None:
        del content["layers"]
    description = {
        **content,
        "parameters": model.count_parameters(),
        "macs": model.macs(),
    }
    with atomic_folder(folder) as partial:
        model.network.save_weights(partial / _WEIGHTS)
        write_json(partial / _DESCRIPTION, description)


def load_model(folder: Path, *, advice: str = _ADVICE) -> BuiltModel:
    """Build the model that `save_model` wrote, with its weights.

    Raises:
        ModelError: a file is missing or damaged; the message ends with the advice.
    """
    with _reading(folder / _DESCRIPTION, advice) as path:
        description = NetworkDescription.model_validate_json(path.read_bytes())
        model = build(**dict(description))
    with _reading(folder / _WEIGHTS, advice) as path:
        import h5py

        with h5py.File(path, "r") as content:
            check_hdf5(content, path.stat().st_size, source=str(path))
        model.network.load_weights(path)
    return model


def model_files(folder: Path) -> list[Path]:
    """The files of a saved model."""
    return [folder / _DESCRIPTION, folder / _WEIGHTS]


@contextmanager
def _reading(path: Path, advice: str) -> Iterator[Path]:
    """Say which file is missing or damaged, and what to do."""
    if not path.is_file():
        raise ModelError(f"{path.parent} holds no {path.name}; {advice}")
    try:
        yield path
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path} is damaged ({type(error).__name__}: {reason}); {advice}"
        ) from error


def load_initial_weights(model: BuiltModel, start: Path) -> None:
    """Give a network the weights of a saved one that was built from the same params.

    Args:
        start: a folder that `save_model` wrote.

    Raises:
        ModelError: the saved one was built from others, or cannot be read.
    """
    given = load_model(start, advice="`student.start` takes folders as those in models/distill")
    expected, actual = _flat(model.description), _flat(given.description)
    differences = [
        f"{key} is {actual.get(key)} there, {expected.get(key)} here"
        for key in sorted(expected | actual)
        if expected.get(key) != actual.get(key)
    ]
    if differences:
        raise ModelError(
            f"student.start: {start} holds another network than `student` describes: "
            f"{'; '.join(differences)}; give `student` what its model.json says, or start from "
            "another folder"
        )
    model.network.set_weights(given.network.get_weights())


def _flat(description: NetworkDescription) -> dict[str, Any]:
    """Keys such as `architecture.filters`; a head that says nothing new is the default one."""
    heads = dict.fromkeys(description.exits, HeadParams()) | description.heads
    flat = description.model_copy(update={"heads": heads}).model_dump(mode="json")
    if flat["layers"]:  # told by a digest: it is long
        text = json.dumps(flat["layers"], sort_keys=True)
        flat["layers"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    for key in ("architecture", "heads"):
        flat |= {f"{key}.{name}": value for name, value in flat.pop(key).items()}
    return flat


def initial_weights_of(folder: Path, seed: int, project: Path = Path()) -> Path | None:
    """The saved network that a seed starts from; None, for random weights, in an empty folder.

    Hidden entries do not count, nor do files that `student.model` may name.

    Args:
        folder: as params have it, from the project's folder on.

    Raises:
        ParamsError: the folder is none, is what a stage writes, or has other things than one
            network for the seed.
    """
    if folder.parts[:2] in {("models", stage) for stage in _WRITTEN}:
        raise ParamsError(
            f"student.start: stages write {folder}; start from a copy, as in "
            "`cp -r models/distill/. models/start`"
        )
    if not (project / folder).is_dir():
        raise ParamsError(f"student.start: {folder} is no folder; give one, an empty one for none")
    given = sorted(
        path.name
        for path in (project / folder).iterdir()
        if path.name[0] != "." and path.suffix not in NETWORK_FILES
    )
    if not given:
        return None
    if not (project / folder / str(seed)).is_dir():
        raise ParamsError(
            f"student.start: {folder} holds {', '.join(given)}, but no folder {seed} for the seed "
            f"{seed}; add {folder / str(seed)}, remove the seed from `seeds`, or empty the folder"
        )
    return folder / str(seed)


def best_seed(trained: Mapping[int, Training], metric: str) -> int:
    """Return the seed whose student is best on the validation split; of equals the first.

    Args:
        trained: by seed.
        metric: key of what students are compared by.
    """
    return max(trained, key=lambda seed: trained[seed].validation.score(metric))
