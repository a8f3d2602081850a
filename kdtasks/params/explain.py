"""Turn pydantic's errors into one line: the key, what was given, what is allowed."""

import json
import types
from types import NoneType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from kdtasks.core.errors import did_you_mean
from kdtasks.core.registry import Registry

RANGE_ERRORS = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "too_short",
    "string_pattern_mismatch",
}

Constraints = tuple[Any, ...]
NOUNS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


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
        labelled = _labelled(annotation)
        if part in labelled:  # a constant or a schedule; only the latter has keys of its own
            member, _ = unwrap(labelled[part])
            annotation = member if is_section(member) or members(member) else annotation
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
    return len(others) > 1 and not any(is_section(unwrap(choice)[0]) for choice in others)


def _labelled(annotation: Any) -> dict[str | int, Any]:
    """Members of a union that pydantic tells apart by a function of the value, by their labels."""
    choices = get_args(unwrap(annotation)[0])
    constraints = [(choice, item) for choice in choices for item in unwrap(choice)[1]]
    return {item.tag: choice for choice, item in constraints if isinstance(item, Tag)}


def shown(value: Any) -> str:
    """A value as YAML would write it on one line, cut after 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


def allowed_values(annotation: Any, constraints: Constraints = ()) -> str:
    """Describe kind and range of a type annotation, such as `whole number, 1 or more`."""
    annotation, constraints = unwrap(annotation, constraints)
    choices = members(annotation)
    if choices:
        named = [choice for choice in choices if tags((choice,))]
        words = [allowed_values(c) for c in choices if c is not types.NoneType and c not in named]
        if named:
            words.append(f"mapping with `name`: {', '.join(tags(choices))}")
        is_choice = any(get_origin(choice) is Literal for choice in choices)
        return (", " if is_choice else " or ").join(["null"] * (types.NoneType in choices) + words)
    if get_origin(annotation) is Literal:
        return ", ".join(str(choice) for choice in get_args(annotation))
    if is_section(annotation):
        return f"mapping with {', '.join(annotation.model_fields)}"
    if get_origin(annotation) is tuple:
        items = get_args(annotation)
        kind = allowed_values(items[0])
        if items[-1] is Ellipsis:
            reach = allowed_range(annotation, constraints)
            return f"list of {reach}, each {kind}" if reach else f"list, each item {kind}"
        return f"list of {len(items)} items, each {kind}"
    if get_origin(annotation) is dict:
        return f"mapping from a name to {allowed_values(get_args(annotation)[1])}"
    reach = allowed_range(annotation, constraints)
    return f"{NOUNS[annotation]}, {reach}" if reach else NOUNS[annotation]


def allowed_range(annotation: Any, constraints: Constraints = ()) -> str:
    """Describe the range alone, such as `0 to 1` or `at least 1 item`; empty where all goes."""
    annotation, constraints = unwrap(annotation, constraints)
    found = [allowed_range(choice) for choice in members(annotation)]
    if found:
        return " or ".join(words for words in found if words)
    low = high = ""
    inclusive_low = inclusive_high = None
    for constraint in constraints:
        if isinstance(constraint, annotated_types.Ge):
            inclusive_low, low = constraint.ge, f"{constraint.ge:g} or more"
        elif isinstance(constraint, annotated_types.Gt):
            low = f"more than {constraint.gt:g}"
        elif isinstance(constraint, annotated_types.Le):
            inclusive_high, high = constraint.le, f"at most {constraint.le:g}"
        elif isinstance(constraint, annotated_types.Lt):
            high = f"less than {constraint.lt:g}"
        elif isinstance(constraint, annotated_types.MinLen):
            low = f"at least {constraint.min_length} item{'s' * (constraint.min_length != 1)}"
        elif getattr(constraint, "pattern", None):
            low = f"matching {constraint.pattern}"
    if inclusive_low is not None and inclusive_high is not None:
        return f"{inclusive_low:g} to {inclusive_high:g}"
    return " and ".join(words for words in (low, high) if words)


def unwrap(annotation: Any, constraints: Constraints = ()) -> tuple[Any, Constraints]:
    """Take `Annotated` off; constraints found are kept, a registry gives its items' union."""
    if get_origin(annotation) is Annotated:
        annotation, *found = get_args(annotation)
        for item in found:
            constraints += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
        return unwrap(annotation, constraints)
    for item in constraints:
        if isinstance(item, Registry):
            others = tuple(other for other in constraints if other is not item)
            return unwrap(item.union(), others)
    return annotation, constraints


def members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union; empty for anything else."""
    annotation, _ = unwrap(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return ()
    flat: tuple[Any, ...] = ()
    for choice in get_args(annotation):
        flat += members(choice) or (choice,)
    return flat


def is_section(annotation: Any) -> bool:
    """Whether an annotation is a params section."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def tags(choices: tuple[Any, ...]) -> list[str]:
    """The values of `name` that tell the sections of a union apart."""
    fields = [choice.model_fields.get("name") for choice in choices if is_section(choice)]
    return [str(name) for field in fields if field for name in get_args(field.annotation)]
