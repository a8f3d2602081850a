"""Turn pydantic's errors into one line: the key, what was given, what is allowed."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import ErrorDetails

from kdtasks.core.errors import did_you_mean, shortened

# Beginnings of the kinds of errors in which a value is of the right type.
RANGE_ERRORS = ("greater_than", "less_than", "too_short", "string_pattern_mismatch")
BOUNDS = {
    "minimum": "{:g} or more",
    "exclusiveMinimum": "more than {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "less than {:g}",
    "pattern": "matching {}",
}
MOST_LINES = 10
# A choice that is meant as a Python object: `my_package.networks:build`.
_NAMES_CODE = re.compile(r"^[A-Za-z_][\w.]*([.:][A-Za-z_]\w*)+$")
_OF_CODE = (
    "; params are data and name no code to run: register your own by a file in extensions/ "
    "(docs/development.md), and give the name that it has there"
)
NOUNS = {"boolean": "true or false", "integer": "whole number", "number": "number"}

Schema = Mapping[str, Any]


@cache
def schema_of(annotation: Any) -> Schema:
    """Give the JSON schema of a section, or of what a key allows, all references filled in.

    What a reference leads to has its own description under `documentation`, that of the key stays
    under `description`.
    """
    schema = TypeAdapter(annotation).json_schema()
    definitions = schema.pop("$defs", {})

    def fill(node: Any) -> Any:
        if isinstance(node, list):
            return [fill(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = definitions[node["$ref"].rpartition("/")[2]]
            node = {"documentation": target.get("description"), **target, **node}
            del node["$ref"]
        return {key: fill(value) for key, value in node.items()}

    return {"documentation": schema.get("description"), **fill(schema)}


def explain(errors: list[ErrorDetails], schema: Schema) -> str:
    """One line for `errors` of validating by `schema`, joined by ` | `; the first ten of many."""
    first = errors[:MOST_LINES]
    lines = [_explain_one(error, schema) for error in first if not _follows_from_another(error)]
    lines = [shortened(line, max_length=1000) for line in dict.fromkeys(lines)]
    return " | ".join([*lines, *([f"and {len(errors) - len(first):,} more"] * (errors != first))])


def _explain_one(details: ErrorDetails, schema: Schema) -> str:
    location, kind, context = details["loc"], details["type"], details.get("ctx", {})
    given = shown(details["input"])
    if kind in ("extra_forbidden", "invalid_key"):
        place, section = _walk(location[:-1], schema)
        last = str(location[-1])
        key = f"{place}.{last}" if place else last
        if kind == "invalid_key":
            return f"{key}: got a key that is not text; allowed: text"
        choices = next(list(item["properties"]) for item in members(section) if is_section(item))
        return (
            f"{key}: unknown key, got {given}; allowed in {place or 'the top level'}: "
            f"{', '.join(choices)}{did_you_mean(last, choices)}"
        )
    if kind == "missing" and isinstance(location[-1], int):  # too few items in a list
        location = location[:-1]
    key, node = _walk(location, schema)
    if kind == "value_error":
        return f"{key}: {context['error']}" if key else str(context["error"])
    if kind == "union_tag_not_found":
        return f"{key}.name: missing; allowed: {_listed(names(node))}"
    if kind == "union_tag_invalid":
        tag, choices = str(context["tag"]), names(node)
        hint = _OF_CODE if _NAMES_CODE.search(tag) else did_you_mean(tag, choices)
        return f"{key}.name: got {shown(tag)}; allowed: {_listed(choices)}{hint}"
    if kind == "finite_number":
        return f"{key}: got {given}; allowed: a finite number"
    allowed, hint = allowed_values(node), ""
    if kind == "missing" and isinstance(details["loc"][-1], str):
        return f"{key}: missing; allowed: {allowed}"
    if kind.startswith(RANGE_ERRORS) and not _is_mixed(node):
        allowed = allowed_range(node)
    if kind == "literal_error" and isinstance(details["input"], str):
        hint = did_you_mean(details["input"], allowed.removeprefix("null, ").split(", "))
    return f"{key}: got {given}; allowed: {allowed}{hint}"


def _follows_from_another(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items were refused one by one."""
    if details["type"] != "too_short":
        return False
    return len(details["input"]) >= details["ctx"]["min_length"]


def _walk(location: Iterable[str | int], schema: Schema) -> tuple[str, Schema]:
    """Follow an error's path: the keys on it, without the labels of union members, and its end."""
    keys = []
    for part in location:
        choices = members(schema)
        named = [choice for choice in choices if len(choices) > 1 and part in names(choice)]
        inner = [item for choice in choices for item in _inside(choice, part)]
        if named:
            schema = named[0]
        elif inner and not _is_mixed(schema):  # there the part says which type refused the value
            keys.append(str(part))
            schema = inner[0]
    return ".".join(keys), schema


def _inside(schema: Schema, part: str | int) -> list[Schema]:
    """What a mapping or list holds under a key or number; empty for nothing."""
    if isinstance(part, int):
        return [schema["items"]] if "items" in schema else schema.get("prefixItems", [])[:1]
    if part in schema.get("properties", {}):
        return [schema["properties"][part]]
    return [schema["additionalProperties"]] if schema.get("additionalProperties") else []


def _is_mixed(schema: Schema) -> bool:
    """Whether a schema is a union of plain types, such as text or a whole number."""
    others = [choice for choice in members(schema) if choice.get("type") != "null"]
    return len(others) > 1 and not any(map(is_section, others))


def shown(value: Any) -> str:
    """A value as YAML would write it on one line, cut after 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= 60 else f"{text[:59]}…"


def allowed_values(schema: Schema) -> str:
    """Describe kind and range of what a schema allows, such as `whole number, 1 or more`."""
    choices = members(schema)
    if len(choices) > 1:
        plain = [c for c in choices if c.get("type") != "null" and not names(c)]
        words = ["null"] * any(c.get("type") == "null" for c in choices)
        words += [allowed_values(choice) for choice in plain]
        if tags := names(schema):
            words.append(f"mapping with `name`: {_listed(tags)}")
        return (
            ", " if any(choice.keys() & {"enum", "const"} for choice in plain) else " or "
        ).join(words)
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if is_section(schema):
        return f"mapping with {', '.join(schema['properties'])}"
    reach = allowed_range(schema)
    if "prefixItems" in schema:
        items = schema["prefixItems"]
        return f"list of {len(items)} items, each {allowed_values(items[0])}"
    if "items" in schema:
        kind = allowed_values(schema["items"])
        return f"list of {reach}, each {kind}" if reach else f"list, each item {kind}"
    if schema["type"] == "object":
        return f"mapping from a name to {allowed_values(schema['additionalProperties'])}"
    noun = NOUNS.get(schema["type"], "text")
    return f"{noun}, {reach}" if reach else noun


def _listed(choices: Iterable[str]) -> str:
    """List names; of those that begin alike before a slash, the beginning alone."""
    parts = [choice.partition("/") for choice in choices]
    return ", ".join(dict.fromkeys(f"{first}/…" if slash else first for first, slash, _ in parts))


def allowed_range(schema: Schema) -> str:
    """Describe the range alone, such as `0 to 1` or `at least 1 item`; empty where all goes."""
    choices = members(schema)
    if len(choices) > 1:
        return " or ".join(filter(None, map(allowed_range, choices)))
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']:g} to {schema['maximum']:g}"
    if "minItems" in schema and "items" in schema:
        return f"at least {schema['minItems']} item{'s' * (schema['minItems'] != 1)}"
    return " and ".join(text.format(schema[key]) for key, text in BOUNDS.items() if key in schema)


def members(schema: Schema) -> list[Schema]:
    """The choices that a schema leaves, those of choices among them; itself where it is none."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    return [item for choice in choices for item in members(choice)] if choices else [schema]


def is_section(schema: Schema) -> bool:
    """Whether a schema is that of a params section."""
    return "properties" in schema


def names(schema: Schema) -> list[str]:
    """The values of `name` that tell the sections among its choices apart."""
    fields = [choice.get("properties", {}).get("name", {}) for choice in members(schema)]
    values = ([field["const"]] if "const" in field else field.get("enum", ()) for field in fields)
    return [value for each in values for value in each]
