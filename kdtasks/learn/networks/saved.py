"""A model on disk: its weights, and the params that build it again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter

from kdtasks.core.errors import ModelError, ParamsError
from kdtasks.core.files import atomic_folder, read_json, write_json
from kdtasks.core.records.training import Training
from kdtasks.learn.networks import Architecture, architectures
from kdtasks.learn.networks.build import HeadParams, Heads, build
from kdtasks.learn.networks.multi_exit import MultiExitModel

_WEIGHTS = "model.weights.h5"
_DESCRIPTION = "model.json"
_ADVICE = "run the stage that writes it (`dvc repro`)"

# What a description tells beside what a network is built from.
_RESULTS = ("parameters", "macs")

# Where stages write; a stage cannot start from what it is about to replace.
_WRITTEN = ("teacher", "student", "distill", "compress")


def save_model(
    folder: Path,
    model: MultiExitModel,
    *,
    architecture: Architecture,
    exits: Sequence[str],
    heads: Heads | None = None,
) -> None:
    """Write `model.weights.h5` and `model.json`; the same weights give the same bytes."""
    description = {
        **describe(model, architecture=architecture, exits=exits, heads=heads),
        "parameters": model.count_parameters(),
        "macs": model.macs(),
    }
    with atomic_folder(folder) as partial:
        model.network.save_weights(partial / _WEIGHTS)
        write_json(partial / _DESCRIPTION, description)


def describe(
    model: MultiExitModel,
    *,
    architecture: Architecture,
    exits: Sequence[str],
    heads: Heads | None = None,
) -> dict[str, Any]:
    """What a network is built from: architecture, exits, heads, input_shape and num_classes."""
    return {
        "architecture": architecture.model_dump(mode="json"),
        "exits": list(exits),
        "heads": {name: head.model_dump(mode="json") for name, head in (heads or {}).items()},
        "input_shape": list(model.input_shape),
        "num_classes": int(model.network.outputs[-1].shape[-1]),
    }


def read_description(folder: Path, *, advice: str = _ADVICE) -> dict[str, Any]:
    """Read what `describe` gave of a saved model, and its parameters and MACs.

    Raises:
        ModelError: the file is missing or damaged; the message ends with the advice.
    """
    with _reading(folder / _DESCRIPTION, advice) as path:
        description: dict[str, Any] = read_json(path)
        return {"heads": {}, **description}


def load_model(folder: Path, *, advice: str = _ADVICE) -> MultiExitModel:
    """Build the model that `save_model` wrote, with its weights.

    Raises:
        ModelError: a file is missing or damaged; the message ends with the advice.
    """
    with _reading(folder / _DESCRIPTION, advice):
        description = read_description(folder, advice=advice)
        choice: TypeAdapter[Architecture] = TypeAdapter(Annotated[Architecture, architectures])
        architecture = choice.validate_python(description["architecture"])
        height, width, channels = description["input_shape"]
        model = build(
            architecture,
            input_shape=(height, width, channels),
            num_classes=description["num_classes"],
            exits=description["exits"],
            heads=TypeAdapter(dict[str, HeadParams]).validate_python(description["heads"]),
        )
    with _reading(folder / _WEIGHTS, advice) as path:
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


def take_weights(
    model: MultiExitModel,
    start: Path,
    *,
    architecture: Architecture,
    exits: Sequence[str],
    heads: Heads | None = None,
) -> None:
    """Give a network the weights of a saved one that was built from the same params.

    Args:
        start: a folder that `save_model` wrote.
        architecture, exits, heads: what the network is built from.

    Raises:
        ModelError: the saved one was built from others, or cannot be read.
    """
    advice = "`student.start` takes folders as those in models/distill"
    wanted = _flat(describe(model, architecture=architecture, exits=exits, heads=heads))
    found = _flat(read_description(start, advice=advice))
    found = {key: value for key, value in found.items() if key not in _RESULTS}
    differences = [
        f"{key} is {found.get(key)} there, {wanted.get(key)} here"
        for key in sorted(wanted | found)
        if wanted.get(key) != found.get(key)
    ]
    if differences:
        raise ModelError(
            f"student.start: {start} holds another network than `student` describes: "
            f"{'; '.join(differences)}; give `student` what its model.json says, or start from "
            "another folder"
        )
    model.network.set_weights(load_model(start, advice=advice).network.get_weights())


def _flat(description: dict[str, Any]) -> dict[str, Any]:
    """Keys such as `architecture.filters`; a head that says nothing new is the default one."""
    heads = {name: HeadParams().model_dump(mode="json") for name in description["exits"]}
    flat: dict[str, Any] = {}
    for key, value in {**description, "heads": heads | description["heads"]}.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": content for inner, content in value.items()}
        else:
            flat[key] = value
    return flat


def start_of(folder: Path, seed: int, project: Path = Path()) -> Path | None:
    """The saved network that a seed starts from; None, for random weights, in an empty folder.

    Hidden entries do not count.

    Args:
        folder: as params have it, from the project's folder on.

    Raises:
        ParamsError: the folder is none, is what a stage writes, or has other things than one
            network for the seed.
    """
    if folder.parts[:1] == ("models",) and folder.parts[1:2] in {(name,) for name in _WRITTEN}:
        raise ParamsError(
            f"student.start: stages write {folder}; start from a copy, as in "
            "`cp -r models/distill/. models/start`"
        )
    if not (project / folder).is_dir():
        raise ParamsError(f"student.start: {folder} is no folder; give one, an empty one for none")
    given = sorted(
        path.name for path in (project / folder).iterdir() if not path.name.startswith(".")
    )
    if not given:
        return None
    if not (project / folder / str(seed)).is_dir():
        raise ParamsError(
            f"student.start: {folder} holds {', '.join(given)}, but no folder {seed} for the seed "
            f"{seed}; add {folder / str(seed)}, remove the seed from `seeds`, or empty the folder"
        )
    return folder / str(seed)


def best_seed(trained: Mapping[int, Training]) -> int:
    """Return the seed whose student is best on the validation split; of equals the first."""
    return max(trained, key=lambda seed: trained[seed].validation.score)
