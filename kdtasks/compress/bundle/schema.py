"""The JSON schema of `manifest.json`, from the form that every reader holds it against.

`python -m kdtasks.compress.bundle.schema > docs/manifest.schema.json`
"""

import inspect
import json
import re
from typing import Any

from kdtasks.edge.manifest import EmbeddedManifest, Manifest, missing_fields
from kdtasks.edge.manifest_form import FIELDS


def manifest_schema() -> dict[str, Any]:
    """Give the schema: the form of each field, with its description from the docstring."""
    described = _descriptions(EmbeddedManifest) | _descriptions(Manifest)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "manifest.json of a kdtasks bundle",
        "type": "object",
        "required": ["format_version", *missing_fields(Manifest, {})],
        "properties": {
            name: form | {"description": described[name]} for name, form in FIELDS.items()
        },
    }


def _descriptions(kind: type) -> dict[str, str]:
    """Read the section `Attributes:` of a docstring."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


if __name__ == "__main__":
    print(json.dumps(manifest_schema(), indent=2, ensure_ascii=False))
