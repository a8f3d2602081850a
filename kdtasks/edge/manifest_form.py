"""The one form of a manifest: what its fields may hold, and a check that needs no library.

The table is JSON schema, as far as `problems` knows it: docs/manifest.schema.json is written from
it, and a device, which has no pydantic, holds every manifest against it before anything else.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

FORMAT_VERSION = 1

# Of kdtasks.edge.scores.SCORES; that module brings numpy, which a manifest can do without.
SCORE_NAMES = ("max_probability", "margin", "entropy", "energy")

Form = dict[str, Any]

_HUGE = 1e300  # `ALWAYS` and `NEVER` of kdtasks.edge.scores are the ends
_SHOWN = 60
_TEXT: Form = {"type": "string"}
_HASH: Form = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NUMBER: Form = {"type": "number", "minimum": -_HUGE, "maximum": _HUGE}
# Rounding may take a fraction a little beyond its ends.
_FRACTION: Form = {"type": "number", "minimum": -1e-9, "maximum": 1 + 1e-9}
_COUNT: Form = {"type": "integer", "minimum": 1, "maximum": 2**53}
_SIDE: Form = {"type": "integer", "minimum": 1, "maximum": 65536}


def _list(items: Form, least: int = 0, most: int | None = None) -> Form:
    form: Form = {"type": "array", "items": items, "minItems": least}
    return form if most is None else form | {"maxItems": most}


def _keys(*required: str, **properties: Form) -> Form:
    return {"type": "object", "required": list(required), "properties": properties}


def _or_null(form: Form) -> Form:
    return form | {"type": [form["type"], "null"]}


_SPLIT = _keys(
    "rows",
    rows=_COUNT,
    accuracy=_FRACTION,
    balanced_accuracy=_FRACTION,
    macro_f1=_FRACTION,
    mean_iou=_FRACTION,
    metric={"type": "string"},
    interval=_list(_FRACTION, 2, 2),
    confidence=_FRACTION,
    cost=_FRACTION,
    labels_from={"const": "teacher"},
)
_EXIT = _keys(
    "error",
    "changed",
    "interval",
    error=_NUMBER,
    changed=_FRACTION,
    interval=_or_null(_list(_FRACTION, 2, 2)),
)

# The form of each field of `kdtasks.edge.manifest.Manifest`.
FIELDS: dict[str, Form] = {
    "format_version": {"const": FORMAT_VERSION},
    "name": _TEXT,
    "variant": _TEXT,
    "task": _TEXT,
    "class_names": _list(_TEXT | {"minLength": 1}, 1),
    "input": _keys(
        "shape",
        "dtype",
        "range",
        shape=_list(_SIDE, 3, 3),
        dtype={"const": "uint8"},
        range={"const": [0, 255]},
        deep_range=_list({"type": "integer", "minimum": 0, "maximum": 65535}, 2, 2),
    ),
    "segments": _COUNT,
    "score": {"enum": list(SCORE_NAMES)},
    "temperatures": _list({"type": "number", "exclusiveMinimum": 0, "maximum": _HUGE}, 1),
    "thresholds": _list(_NUMBER),
    "macs": _list({"type": "integer", "minimum": 0, "maximum": 2**63}, 1),
    "dataset_sha256": _HASH,
    "calibration": {"type": "object"},
    "bytes": _COUNT,
    "sha256": _HASH,
    "parameters": _keys(
        data=_or_null(
            _keys(
                image_size=_or_null(_list(_SIDE, 2, 2)),
                source=_or_null({"type": "object"}),
            )
        )
    ),
    "libraries": {"type": "object", "additionalProperties": _or_null(_TEXT)},
    "metrics": _or_null({"type": "object", "additionalProperties": _SPLIT}),
    "parity": _or_null(
        _keys(
            "rows",
            "tolerance",
            "exits",
            rows=_COUNT,
            tolerance=_NUMBER,
            exits=_list(_EXIT, 1),
            set_ranges={"type": "boolean"},
        )
    ),
    "self_test": _or_null(
        _keys(
            "file",
            "sha256",
            "images",
            file={"const": "self_test.npz"},
            sha256=_HASH,
            images=_COUNT,
        )
    ),
    "provenance": _or_null(
        _keys(
            git_revision=_or_null(_TEXT),
            git_changed={"type": ["boolean", "null"]},
            dvc_lock_sha256=_HASH,
        )
    ),
}

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def problems(value: Any, form: Form, where: str) -> Iterator[str]:
    """Say in which a decoded JSON value differs from a form; callers read only the first.

    Args:
        value: to be held against the form.
        form: JSON schema of the words that this table uses.
        where: the place of the value, such as `input.shape`.
    """
    if not form:
        return
    if expected := _mismatch(value, form):
        yield f"has the {where} {_shown(value)}; {expected} was expected"
    if isinstance(value, dict):
        if missing := [key for key in form.get("required", ()) if key not in value]:
            yield f"has the {where} {_shown(value)}; it lacks {', '.join(missing)}"
        known, others = form.get("properties", {}), form.get("additionalProperties", {})
        for key, part in value.items():
            yield from problems(part, known.get(key, others), f"{where}.{key}"[:_SHOWN])
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from problems(part, form.get("items", {}), f"{where}[{index}]")


def _mismatch(value: Any, form: Form) -> str | None:
    """What was expected where a value itself is another, whatever it holds."""
    if "const" in form and (value != form["const"] or isinstance(value, bool)):
        return repr(form["const"])
    if "enum" in form and value not in form["enum"]:
        return f"one of {', '.join(form['enum'])}"
    kinds = form.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if kinds and not any(_is_of(value, kind) for kind in kinds):
        return " or ".join(kinds)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        least, most = form.get("minimum", -math.inf), form.get("maximum", math.inf)
        above = form.get("exclusiveMinimum", -math.inf)
        if not (least <= value <= most and (value > above or above == -math.inf)):
            return f"a number from {max(least, above):g} to {most:g}"
    if isinstance(value, str) and not re.fullmatch(form.get("pattern", "(?s:.*)"), value):
        return f"text of the form {form['pattern']}"
    if isinstance(value, str) and len(value) < form.get("minLength", 0):
        return "text"
    least, most = form.get("minItems", 0), form.get("maxItems", math.inf)
    if isinstance(value, list) and not least <= len(value) <= most:
        return f"a list of {least}" if least == most else f"a list of {least} or more"
    return None


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _shown(value: Any) -> str:
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
