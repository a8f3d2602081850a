"""Where a student's weights start: a saved network of each seed, or random numbers."""

from pathlib import Path

from kdtasks.errors import ParamsError

# Where stages write; a stage cannot start from what it is about to replace.
_WRITTEN = ("teacher", "student", "distill", "compress")


def start_of(folder: Path, seed: int, project: Path = Path()) -> Path | None:
    """The saved network that a seed starts from; None, for random weights, in an empty folder.

    Hidden entries do not count.

    Arguments:
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
