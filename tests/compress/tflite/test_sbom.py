"""The bill of materials is CycloneDX, and lists what the pipeline runs on and nothing else."""

import json
from importlib.metadata import version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from kdtasks.compress.bundle.sbom import (
    MADE,
    PACKED,
    TOLD,
    installed_closure,
    make_sbom,
    missing_sbom,
    sbom_text,
)

RECORDED = {"tensorflow": "2.0.1", "kdtasks": "0.0.1", "tf-keras": None}


def environment(text: str) -> str:
    [told] = json.loads(text)["metadata"]["properties"]
    assert told["name"] == "kdtasks:environment"
    return str(told["value"])


@pytest.mark.parametrize("text", [sbom_text(), missing_sbom({}), missing_sbom(RECORDED)])
def test_it_is_valid(text: str):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_says_whose_packages_it_lists():
    assert environment(sbom_text()) == MADE
    assert environment(missing_sbom({"tensorflow": None})) == PACKED
    here, packed = json.loads(sbom_text()), json.loads(missing_sbom({}))
    assert packed["components"] == here["components"]
    recorded = missing_sbom(RECORDED)
    assert environment(recorded) == TOLD
    content = json.loads(recorded)
    assert [part["purl"] for part in content["components"]] == ["pkg:pypi/tensorflow@2.0.1"]
    assert content["metadata"]["component"]["version"] == "0.0.1"
    assert content["compositions"] == [{"aggregate": "incomplete"}]


def test_it_lists_what_the_pipeline_needs():
    content = json.loads(sbom_text())
    found = {part["name"]: part for part in content["components"]}
    assert content["metadata"]["component"]["name"] == "kdtasks"
    assert {"tensorflow", "tf-keras", "numpy", "dvc", "protobuf"} <= found.keys()  # needs of needs
    assert not found.keys() & {"pytest", "moto", "kdtasks"}  # other extras bring them
    numpy = found["numpy"]
    assert numpy["purl"] == f"pkg:pypi/numpy@{version('numpy')}"
    edges = {edge["ref"]: edge["dependsOn"] for edge in content["dependencies"]}
    assert numpy["bom-ref"] in edges[found["tensorflow"]["bom-ref"]]
    assert set(edges) == {part["bom-ref"] for part in found.values()} | {
        content["metadata"]["component"]["bom-ref"]
    }


def test_extras_of_what_is_needed_count():
    needs = installed_closure()
    assert "dvc-s3" in needs["dvc"]  # the pipeline asks for dvc[s3]
    assert "dvc-azure" not in needs


def test_the_same_packages_give_the_same_text():
    needs = {"kdtasks": ["numpy"], "numpy": []}
    assert make_sbom(needs) == make_sbom(dict(needs))
    assert len(make_sbom(needs)["components"]) == 1
