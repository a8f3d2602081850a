"""The students that may be tried: the project's, at other widths, depths and resolutions."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import ParamsError, SweepError
from kdtasks.learn.networks.saved import initial_weights_of
from kdtasks.orchestrate.sweep.grid import Settings
from kdtasks.params import Params
from kdtasks.params.load import parse_params
from kdtasks.tasks.registry import task_of


class Student(NamedTuple):
    """One of them.

    Attributes:
        params: of the project, with this student.
    """

    label: str
    params: Params

    @property
    def settings(self) -> Settings:
        """The keys that differ, or may, in any of them."""
        settings: Settings = {"student.model": self.params.student.model.model_dump(mode="json")}
        if self.params.search.student.image_sizes and self.image_size:
            settings["data.image_size"] = list(self.image_size)
        return settings

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
    students: dict[str, Student] = {}
    refused: dict[str, str] = {}
    for depth, size in product(sorted(space.depths, key=abs), sizes):
        tall = f"depth {depth:+d}" if depth else "depth 0"
        try:
            model = params.student.model.deepened(depth) if depth else params.student.model
        except ValueError as error:
            refused[tall] = str(error)
            continue
        for width in sorted(space.widths, key=lambda width: abs(width - 1)):
            label, data = f"width {width:g}, {tall}", content["data"]
            if space.image_sizes and size:
                label, data = f"{label}, {size[0]}×{size[1]}", data | {"image_size": size}
            try:
                scaled = (model.scaled(width) if width != 1 else model).model_dump(mode="json")
                changed = {"student": content["student"] | {"model": scaled}, "data": data}
                student = Student(label, parse_params(content | changed, source=label))
            except (ParamsError, ValueError) as error:
                refused[label] = " ".join(str(error).split()).removeprefix(f"{label}: ")
                continue
            if all(student.settings != other.settings for other in students.values()):
                students[label] = student
    if not students:
        raise SweepError(f"search.student describes no student: {next(iter(refused.values()))}")
    return students, refused


def check_space(params: Params, project: Path) -> None:
    """Refuse what students of other sizes cannot be tried with.

    Raises:
        SweepError: no label judges, masks are cut to patches, or a student begins with weights.
    """
    if "validation" in params.data.source.teacher_labelled:
        raise SweepError(
            "no validation image has a label to know the accuracy of students by; `kdtasks sweep` "
            "over student.model, which compares agreement with the teacher"
        )
    if params.search.student.image_sizes and task_of(params.data.task).per_pixel:
        raise SweepError(
            f"search.student.image_sizes is {params.search.student.image_sizes}, and masks are "
            "answered by patches: set it to [], and sweep over data.source.patch_size"
        )
    if initial_weights_of(Path(params.student.start), params.seeds[0], project):
        raise SweepError(
            f"student.start holds weights of the present student ({params.student.start}), which "
            "fit no other; set it to an empty folder"
        )
