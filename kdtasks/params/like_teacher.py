"""A student of the teacher's shape, `{name: like_teacher, width: 0.25}`, as the network it means.

Recipes may say it so. `params.yaml` says the network itself: DVC watches what stands there, and a
student whose shape stood in another section would not be trained anew when that changes.
"""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kdtasks.core.errors import ParamsError
from kdtasks.learn.networks import Architecture, architectures

_NAME = "like_teacher"


class _LikeTeacher(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    width: Annotated[float, Field(gt=0.0)]


def like_teacher(content: Any) -> dict[str, Any] | None:
    """Give the params of the network that `student.model` of a params file means.

    Returns: None where it is any other network, or the rest of the file is refused anyway.

    Raises:
        ValueError: it has no width, or the teacher's network cannot be scaled by one number.
    """
    student, teacher = (
        content.get(key) if isinstance(content, dict) else None for key in ("student", "teacher")
    )
    if not isinstance(student, dict) or not isinstance(teacher, dict):
        return None
    model = student.get("model")
    if model != _NAME and (not isinstance(model, dict) or model.get("name") != _NAME):
        return None
    try:
        width = _LikeTeacher.model_validate(model).width
    except ValidationError:
        raise ValueError(
            f"student.model: got {json.dumps(model)}; like_teacher takes one key, width: a number "
            "more than 0, which multiplies the teacher's filters and units"
        ) from None
    if teacher.get("source") != "train":
        raise ValueError(
            "student.model: like_teacher is for teachers that are trained here; copy an imported "
            "Functional one into student.start and name it: "
            f"{{name: file, path: teacher.keras, width: {width:g}}}"
        )
    try:
        network: Architecture = TypeAdapter(Annotated[Architecture, architectures]).validate_python(
            teacher.get("model")
        )
    except ValidationError:
        return None
    return network.scaled(width).model_dump(mode="json")


def with_network(content: Any, *, source: str) -> Any:
    """Put the network that is meant in the place of `like_teacher`.

    Args:
        content: of a params file.
        source: its name, for errors.

    Raises:
        ParamsError: it cannot be told.
    """
    try:
        model = like_teacher(content)
    except ValueError as error:
        raise ParamsError(f"{source}: {' '.join(str(error).split())}") from None
    if model is None:
        return content
    return {**content, "student": {**content["student"], "model": model}}


def refuse_like_teacher(content: Any, *, source: str) -> None:
    """Refuse `like_teacher` where DVC watches the file, with the network to put in its place.

    Raises:
        ParamsError: it stands there.
    """
    expanded = with_network(content, source=source)
    if expanded is not content:
        network = json.dumps(expanded["student"]["model"], ensure_ascii=False)
        raise ParamsError(
            f"{source}: student.model: DVC watches what stands in the file, so say the network "
            f"that like_teacher means: {network}"
        )
