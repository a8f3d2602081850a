"""A model on disk: its weights, and the params that build it again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from kdtasks.atomic import atomic_folder, read_json, write_json
from kdtasks.errors import ModelError
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.models.zoo import build
from kdtasks.params.architecture import Architecture, HeadParams, Heads

_WEIGHTS = "model.weights.h5"
_DESCRIPTION = "model.json"
_ADVICE = "run the stage that writes it (`dvc repro`)"


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
        architecture: Architecture = TypeAdapter(Architecture).validate_python(
            description["architecture"]
        )
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
