"""The candidate: the bundle of the variant that the report has chosen."""

from pathlib import Path
from typing import NamedTuple

from kdtasks.atomic import read_json
from kdtasks.errors import ProjectError

SELECTION = Path("report") / "selection.json"


class Candidate(NamedTuple):
    """What the pipeline wants to ship.

    Attributes:
        bundle: folder of the chosen variant; null where none is within the limits of `select`.
        sentence: why.
    """

    bundle: Path | None
    sentence: str


def find_candidate(project: Path) -> Candidate:
    """Read the report's choice.

    Raises:
        ProjectError: the pipeline has written none yet.
    """
    path = project / SELECTION
    try:
        selection = read_json(path)
        chosen, sentence = selection["chosen"], str(selection["sentence"])
    except FileNotFoundError:
        raise ProjectError(f"{path} is not there; run the pipeline with `kdtasks run`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ProjectError(
            f"{path} is not what the report writes ({error!r}); remove it and run `kdtasks run`"
        ) from None
    return Candidate(project / "bundles" / chosen if chosen else None, sentence)
