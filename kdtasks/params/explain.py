"""Turn pydantic's errors into one line: the key, what was given, what is allowed."""

import json
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic_core import ErrorDetails

from kdtasks.errors import did_you_mean
from kdtasks.params.allowed import (
    Constraints,
    allowed_range,
    allowed_values,
    is_section,
    members,
    tags,
    unwrap,
)

RANGE_ERRORS = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "too_short",
    "string_pattern_mismatch",
}


def explain(errors: list[ErrorDetails], model: type[BaseModel]) -> str:
    """One line for all `errors` of validating `model`, joined by ` | `."""
    lines = [_explain_one(error, model) for error in errors if not _follows_from_another(error)]
    return " | ".join(dict.fromkeys(" ".join(line.split()) for line in lines))


def _explain_one(details: ErrorDetails, model: type[BaseModel]) -> str:
    location, kind, context = details["loc"], details["type"], details.get("ctx", {})
    keys, annotation, constraints = _walk(location, model)
    given = shown(details["input"])
    if kind == "extra_forbidden":
        _, section, _ = _walk(location[:-1], model)
        choices = list(section.model_fields)
        place = ".".join(keys[:-1]) or "the top level"
        return (
            f"{'.'.join(keys)}: unknown key, got {given}; "
            f"allowed in {place}: {', '.join(choices)}{did_you_mean(keys[-1], choices)}"
        )
    if kind == "value_error":
        prefix = f"{'.'.join(keys)}: " if keys else ""
        return f"{prefix}{context['error']}"
    if kind == "invalid_key":
        return f"{'.'.join(keys)}: got a key that is not text; allowed: text"
    if kind == "missing" and isinstance(location[-1], int):  # too few items in a list
        keys, annotation, constraints = _walk(location[:-1], model)
    elif kind == "missing":
        return f"{'.'.join(keys)}: missing; allowed: {allowed_values(annotation, constraints)}"
    key = ".".join(keys)
    if kind == "union_tag_not_found":
        return f"{key}.name: missing; allowed: {', '.join(tags(members(annotation)))}"
    if kind == "union_tag_invalid":
        choices = tags(members(annotation))
        tag = str(context["tag"])
        hint = did_you_mean(tag, choices)
        return f"{key}.name: got {shown(tag)}; allowed: {', '.join(choices)}{hint}"
    if kind == "finite_number":
        return f"{key}: got {given}; allowed: a finite number"
    allowed = allowed_values(annotation, constraints)
    if kind in RANGE_ERRORS and not _is_mixed(annotation):
        allowed = allowed_range(annotation, constraints)
    hint = ""
    if kind == "literal_error" and isinstance(details["input"], str):
        hint = did_you_mean(details["input"], allowed.removeprefix("null, ").split(", "))
    return f"{key}: got {given}; allowed: {allowed}{hint}"


def _follows_from_another(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items were refused one by one."""
    if details["type"] != "too_short":
        return False
    return len(details["input"]) >= details["ctx"]["min_length"]


def _walk(
    location: tuple[str | int, ...], model: type[BaseModel]
) -> tuple[list[str], Any, Constraints]:
    """Follow an error's path: the keys on it, without the names of union members, and its end."""
    keys: list[str] = []
    annotation: Any = model
    constraints: Constraints = ()
    for part in location:
        chosen = [c for c in members(annotation) if is_section(c) and part in tags((c,))]
        if chosen:
            annotation = chosen[0]
            continue
        labelled = [c for c in members(annotation) if part in _labels(c)]
        if labelled:  # a constant or a schedule; only the latter has keys of its own
            member = unwrap(labelled[0])[0]
            annotation = member if is_section(member) else annotation
            continue
        if _is_mixed(annotation):  # the part says which member of the union refused the value
            continue
        keys.append(str(part))
        annotation, constraints = _step(_only_member(annotation), part)
    return keys, _section_or_same(annotation), constraints


def _step(annotation: Any, part: str | int) -> tuple[Any, Constraints]:
    if is_section(annotation):
        field = annotation.model_fields.get(str(part))
        return unwrap(field.annotation, tuple(field.metadata)) if field else (None, ())
    if get_origin(annotation) is tuple:
        return unwrap(get_args(annotation)[0])
    if get_origin(annotation) is dict:
        return unwrap(get_args(annotation)[1])
    return None, ()


def _only_member(annotation: Any) -> Any:
    """The other type of `X | None`; anything else as it is."""
    others = [choice for choice in members(annotation) if choice is not NoneType]
    return unwrap(others[0])[0] if len(others) == 1 else annotation


def _section_or_same(annotation: Any) -> Any:
    only = _only_member(annotation)
    return only if is_section(only) else annotation


def _is_mixed(annotation: Any) -> bool:
    """Whether an annotation is a union of plain types, such as `str | int`."""
    others = [choice for choice in members(annotation) if choice is not NoneType]
    return len(others) > 1 and not any(is_section(c) or _labels(c) for c in others)


def _labels(choice: Any) -> list[str]:
    """The label of a union member that pydantic tells apart by a function of the value."""
    return [item.tag for item in unwrap(choice)[1] if isinstance(item, Tag)]


def shown(value: Any) -> str:
    """A value as YAML would write it on one line, cut after 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"
