"""Weights that a student starts from, in place of random ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdtasks.errors import ModelError
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.models.saved import describe, load_model, read_description
from kdtasks.params.architecture import Architecture, HeadParams, Heads

# What a description tells beside what a network is built from.
_RESULTS = ("parameters", "macs")


def take_weights(
    model: MultiExitModel,
    start: Path,
    *,
    architecture: Architecture,
    exits: Sequence[str],
    heads: Heads | None = None,
) -> None:
    """Give a network the weights of a saved one that was built from the same params.

    Arguments:
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
