"""Say in words what a params field may hold; errors and docs/parameters.md share these words."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Constraints = tuple[Any, ...]
NOUNS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def allowed_values(annotation: Any, constraints: Constraints = ()) -> str:
    """Describe kind and range of a type annotation, such as `whole number, 1 or more`."""
    annotation, constraints = unwrap(annotation, constraints)
    choices = members(annotation)
    if choices:
        words = [allowed_values(choice) for choice in choices if choice is not types.NoneType]
        if all(is_section(choice) for choice in choices if choice is not types.NoneType):
            words = [f"mapping with `name`: {', '.join(tags(choices))}"] if tags(choices) else words
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
    """Take `Annotated` and `| None` of one other type off; constraints found are kept."""
    if get_origin(annotation) is Annotated:
        annotation, *found = get_args(annotation)
        for item in found:
            constraints += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
        return unwrap(annotation, constraints)
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
