"""The students that may be tried: the project's, at other widths, depths and resolutions."""

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core.errors import ParamsError, SweepError
from kdtasks.learn.networks.saved import start_of
from kdtasks.params import Params
from kdtasks.params.load import parse_params
from kdtasks.tasks.registry import task_of


class Student(NamedTuple):
    """One of them.

    Attributes:
        params: of the project, with this student.
        settings: the keys that differ, or may, in any of them.
    """

    label: str
    params: Params
    settings: dict[str, Any]

    @property
    def image_size(self) -> tuple[int, int] | None:
        """As of `data.image_size`."""
        return self.params.data.image_size


def list_students(params: Params) -> tuple[dict[str, Student], dict[str, str]]:
    """List what `search.student` describes, each network once; the network's class scales it.

    Returns: students by label, the project's own first where it is among them; and why others
    cannot be, by label.

    Raises:
        SweepError: there is none.
    """
    space, content = params.search.student, params.model_dump(mode="json")
    sizes = space.image_sizes or (params.data.image_size,)
    found: dict[str, Student] = {}
    refused: dict[str, str] = {}
    axes = (sizes, sorted(space.depths, key=abs), sorted(space.widths, key=lambda x: abs(x - 1)))
    for size, depth, width in product(*axes):
        label = f"width {width:g}, depth {depth:+d}" if depth else f"width {width:g}, depth 0"
        settings: dict[str, Any] = {}
        if space.image_sizes and size:
            label += f", {size[0]}×{size[1]}"
            settings["data.image_size"] = list(size)
        try:
            model = params.student.model
            model = model.deepened(depth) if depth else model
            model = model.scaled(width) if width != 1 else model
            settings["student.model"] = model.model_dump(mode="json")
            sections = {key: dict(content[key]) for key in ("student", "data")}
            for key, value in settings.items():
                section, name = key.split(".")
                sections[section][name] = value
            student = Student(label, parse_params(content | sections, source=label), settings)
        except (ParamsError, ValueError) as error:
            refused[label] = " ".join(str(error).split()).removeprefix(f"{label}: ")
            continue
        if all(settings != other.settings for other in found.values()):
            found[label] = student
    if not found:
        raise SweepError(f"search.student describes no student: {next(iter(refused.values()))}")
    return found, refused


def check_space(params: Params, project: Path) -> None:
    """Refuse what students of other sizes cannot be tried with.

    Raises:
        SweepError: no label judges, masks are cut to patches, or a student begins with weights.
    """
    if "validation" in params.data.source.answered:
        raise SweepError(
            "no validation image has a label to know the accuracy of students by; `kdtasks sweep` "
            "over student.model, which compares agreement with the teacher"
        )
    if params.search.student.image_sizes and task_of(params.data.task).per_pixel:
        raise SweepError(
            f"search.student.image_sizes is {params.search.student.image_sizes}, and masks are "
            "answered by patches: set it to [], and sweep over data.source.patch_size"
        )
    if start_of(Path(params.student.start), params.seeds[0], project):
        raise SweepError(
            f"student.start holds weights of the present student ({params.student.start}), which "
            "fit no other; set it to an empty folder"
        )
