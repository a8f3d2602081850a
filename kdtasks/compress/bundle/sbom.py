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

# What the packages listed have done.
MADE = "made the bundle"
TOLD = "made the bundle, as far as its manifest tells"
PACKED = "packed or published the bundle; what made it is not known"


@cache
def sbom_text(environment: str = MADE) -> str:
    """The bill of materials of what runs here, on one line."""
    return _line(make_sbom(installed_closure(), environment))


def missing_sbom(libraries: Mapping[str, str | None]) -> str:
    """The bill of materials of a bundle without: of what its manifest tells, else of what is here.

    Args:
        libraries: of the manifest, package to version.
    """
    components = {name: _component(name, version) for name, version in libraries.items() if version}
    if not components:
        return sbom_text(PACKED)
    return _line(_document(components, TOLD, compositions=[{"aggregate": "incomplete"}]))


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
                requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}
            )
            if is_needed and _installed(other):
                needed.add(other)
                step = (other, frozenset(requirement.extras))
                waiting += [step] * (step not in seen)
                seen.add(step)
    return {package: sorted(needs[package]) for package in sorted(needs)}


def make_sbom(needs: Mapping[str, list[str]], environment: str = MADE) -> dict[str, Any]:
    """Describe an environment; the same packages give the same content.

    It tells nothing of the model: a device keeps one file for all models of one environment.

    Args:
        needs: from `installed_closure`.
        environment: what it has done.
    """
    found = {package: distribution(package) for package in needs}
    components = {
        package: _component(package, distribution.version) | _licence(distribution)
        for package, distribution in found.items()
    }
    references = {package: part["bom-ref"] for package, part in components.items()}
    dependencies = [
        {"ref": references[package], "dependsOn": [references[other] for other in others]}
        for package, others in needs.items()
    ]
    return _document(components, environment, dependencies=dependencies)


def _document(
    components: Mapping[str, dict[str, Any]], environment: str, **more: list[dict[str, Any]]
) -> dict[str, Any]:
    own = {"component": components[PACKAGE]} if PACKAGE in components else {}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {**own, "properties": [{"name": "kdtasks:environment", "value": environment}]},
        "components": [part for package, part in components.items() if package != PACKAGE],
        **more,
    }


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _component(name: str, version: str) -> dict[str, Any]:
    address = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
    }


def _licence(distribution: Distribution) -> dict[str, Any]:
    metadata = distribution.metadata
    licences = (metadata[key] for key in ("License-Expression", "License") if key in metadata)
    licence = next(licences, "")
    is_name = re.fullmatch(r".{1,80}", licence)  # some put the whole text there
    return {"licenses": [{"license": {"name": licence}}]} if is_name else {}
