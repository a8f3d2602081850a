"""The JSON schema of `manifest.json`, made from `kdtasks.edge.manifest.Manifest`.

`python -m kdtasks.compress.bundle.schema > docs/manifest.schema.json`
"""

import inspect
import json
import re
from typing import Any

from kdtasks.edge.manifest import FORMAT_VERSION, SCORE_NAMES, EmbeddedManifest, Manifest

SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_FRACTION = {"type": "number", "minimum": 0, "maximum": 1}
_COUNT = {"type": "integer", "minimum": 1}


def _array(items: dict[str, Any], size: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": size, "maxItems": size}


def _keys(**properties: Any) -> dict[str, Any]:
    return {"required": list(properties), "properties": properties}


_SPLIT = _keys(
    rows=_COUNT,
    accuracy=_FRACTION,
    balanced_accuracy=_FRACTION,
    macro_f1=_FRACTION,
    mean_iou=_FRACTION,
    metric={"type": "string"},
    interval=_array(_FRACTION, 2),
    confidence=_FRACTION,
    cost=_FRACTION,
    labels_from={"const": "teacher"},
)

# What the types of Python do not tell.
DETAILS: dict[str, dict[str, Any]] = {
    "format_version": {"const": FORMAT_VERSION},
    "score": {"enum": list(SCORE_NAMES)},
    "class_names": {"items": {"type": "string", "minLength": 1}, "minItems": 1},
    "segments": {"minimum": 1},
    "temperatures": {"items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 1},
    "macs": {"items": {"type": "integer", "minimum": 0}, "minItems": 1},
    "bytes": {"minimum": 1},
    "sha256": SHA256,
    "dataset_sha256": SHA256,
    "input": {
        "required": ["shape", "dtype", "range"],
        "properties": {
            "shape": _array(_COUNT, 3),
            "dtype": {"const": "uint8"},
            "range": {"const": [0, 255]},
            "deep_range": _array({"type": "integer", "minimum": 0, "maximum": 65535}, 2),
        },
    },
    "metrics": {"additionalProperties": {"type": "object", **_SPLIT, "required": ["rows"]}},
    "self_test": _keys(file={"type": "string"}, sha256=SHA256, images=_COUNT),
    "provenance": _keys(
        git_revision={"type": ["string", "null"]},
        git_changed={"type": ["boolean", "null"]},
        dvc_lock_sha256=SHA256,
    ),
}


def manifest_schema() -> dict[str, Any]:
    """Give the schema: types from the class's annotations, descriptions from its docstring."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Manifest).json_schema()
    descriptions = _descriptions(EmbeddedManifest) | _descriptions(Manifest)
    for name, field in schema["properties"].items():
        field.pop("title", None)
        details = DETAILS.get(name, {})
        for option in field.get("anyOf", [field]):
            if option.get("type") != "null":
                option.update(details)
        field["description"] = descriptions[name]
    schema["required"].append("format_version")
    schema.pop("description", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "manifest.json of a kdtasks bundle",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _descriptions(kind: type) -> dict[str, str]:
    """Read the section `Attributes:` of a docstring."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


if __name__ == "__main__":
    print(json.dumps(manifest_schema(), indent=2, ensure_ascii=False))
