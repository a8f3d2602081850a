"""Weights that a student starts from, in place of random ones."""

from pathlib import Path

from kdtasks.errors import ModelError
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.models.saved import load_model


def start_of(folder: Path, seed: int) -> Path | None:
    """The network that a seed starts from, the folder of that name; None where there is none.

    Raises:
        ModelError: other seeds have one, or the folder is none.
    """
    if not folder.is_dir():
        raise ModelError(f"student.start: {folder} is no folder; give one, an empty one for none")
    given = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not given:
        return None
    if str(seed) not in given:
        raise ModelError(
            f"student.start: {folder} has networks for {', '.join(given)}, but none for the seed "
            f"{seed}; add {folder / str(seed)}, or remove the seed from `seeds`"
        )
    return folder / str(seed)


def take_weights(model: MultiExitModel, start: Path) -> None:
    """Give a network the weights of a saved one of the same layers.

    Arguments:
        start: a folder that `save_model` wrote.

    Raises:
        ModelError: its layers are not those of the network, or it cannot be read.
    """
    try:
        given = load_model(start)
    except ModelError as error:
        raise ModelError(
            f"student.start: {error}; it takes folders as those in models/distill"
        ) from error
    wanted, found = (
        {weight.name: tuple(weight.shape) for weight in one.network.weights}
        for one in (model, given)
    )
    if wanted != found:
        name = min(key for key in wanted | found if wanted.get(key) != found.get(key))
        raise ModelError(
            f"student.start: {start} holds another network than `student` describes: {name} is "
            f"{found.get(name, 'absent')} there, expected {wanted.get(name, 'none')}; give "
            "`student` the model, exits and heads of its model.json, or start from another folder"
        )
    model.network.set_weights(given.network.get_weights())
