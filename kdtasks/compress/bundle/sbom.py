"""A software bill of materials: which packages, in which versions, made a bundle.

CycloneDX 1.6 (ECMA-424) in JSON, which scanners for known vulnerabilities read.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE, EXTRA = "kdtasks", "pipeline"


@cache
def sbom_text() -> str:
    """The bill of materials of what runs here, on one line."""
    return json.dumps(make_sbom(installed_closure()), separators=(",", ":")) + "\n"


def installed_closure(name: str = PACKAGE, extra: str = EXTRA) -> dict[str, list[str]]:
    """List a package and all that it needs, as installed here; what is installed besides is not.

    Returns: the packages that each needs, by their names, sorted.
    """
    needs: dict[str, set[str]] = {}
    waiting = [(canonicalize_name(name), frozenset({extra}))]
    seen = set(waiting)
    while waiting:
        package, extras = waiting.pop()
        found = _installed(package)
        if found is None:
            continue
        needed = needs.setdefault(package, set())
        for line in found.requires or ():
            requirement = Requirement(line)
            other = canonicalize_name(requirement.name)
            is_needed = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": each}) for each in extras | {""}
            )
            if is_needed and _installed(other):
                needed.add(other)
                step = (other, frozenset(requirement.extras))
                waiting += [step] * (step not in seen)
                seen.add(step)
    return {package: sorted(needs[package]) for package in sorted(needs)}


def make_sbom(needs: Mapping[str, list[str]]) -> dict[str, Any]:
    """Describe an environment; the same packages give the same content.

    It tells nothing of the model: a device keeps one file for all models of one environment.

    Args:
        needs: from `installed_closure`.
    """
    components = {package: _component(package) for package in needs}
    references = {package: part["bom-ref"] for package, part in components.items()}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": components.pop(PACKAGE)},
        "components": list(components.values()),
        "dependencies": [
            {"ref": references[package], "dependsOn": [references[other] for other in others]}
            for package, others in needs.items()
        ],
    }


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _component(name: str) -> dict[str, Any]:
    found = distribution(name)
    address = f"pkg:pypi/{name}@{found.version}"
    licences = (
        found.metadata[key] for key in ("License-Expression", "License") if key in found.metadata
    )
    licence = next(licences, "")
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": found.version,
        "purl": address,
        # some put the whole text there
        **(
            {"licenses": [{"license": {"name": licence}}]}
            if re.fullmatch(r".{1,80}", licence)
            else {}
        ),
    }
