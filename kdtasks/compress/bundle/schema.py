"""The JSON schema of `manifest.json`, made from `kdtasks.edge.manifest.Manifest`.

`python -m kdtasks.compress.bundle.schema > docs/manifest.schema.json`
"""

import inspect
import json
import re
from typing import Any

from kdtasks.edge.manifest import FORMAT_VERSION, SCORE_NAMES, Manifest

SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}

_SPLIT = {
    "type": "object",
    "required": ["rows"],
    "properties": {
        "rows": {"type": "integer", "minimum": 1},
        "accuracy": _SHARE,
        "mean_iou": _SHARE,
        "interval": {"type": "array", "items": _SHARE, "minItems": 2, "maxItems": 2},
        "confidence": _SHARE,
        "cost": _SHARE,
    },
}

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
            "shape": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1},
                "minItems": 3,
                "maxItems": 3,
            },
            "dtype": {"const": "uint8"},
            "range": {"const": [0, 255]},
        },
    },
    "metrics": {"additionalProperties": _SPLIT},
    "self_test": {
        "required": ["file", "sha256", "images"],
        "properties": {
            "file": {"type": "string"},
            "sha256": SHA256,
            "images": {"type": "integer", "minimum": 1},
        },
    },
    "provenance": {
        "required": ["git_revision", "git_changed", "dvc_lock_sha256"],
        "properties": {
            "git_revision": {"type": ["string", "null"]},
            "git_changed": {"type": ["boolean", "null"]},
            "dvc_lock_sha256": SHA256,
        },
    },
}


def manifest_schema() -> dict[str, Any]:
    """Give the schema: types from the class's annotations, descriptions from its docstring."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Manifest).json_schema()
    descriptions = _descriptions(inspect.getdoc(Manifest) or "")
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


def _descriptions(docstring: str) -> dict[str, str]:
    """Read the section `Attributes:` of a docstring."""
    section = docstring.partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


if __name__ == "__main__":
    print(json.dumps(manifest_schema(), indent=2, ensure_ascii=False))
