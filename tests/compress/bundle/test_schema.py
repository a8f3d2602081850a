import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.compress.bundle.schema import manifest_schema
from kdtasks.core.errors import BundleError
from kdtasks.edge.manifest import Manifest, parse_manifest

PUBLISHED = Path(__file__).parents[3] / "docs" / "manifest.schema.json"

MANIFEST = Manifest(
    name="digits",
    variant="int8",
    task="classification",
    class_names=("a", "b"),
    input={"shape": [8, 8, 1], "dtype": "uint8", "range": [0, 255]},
    segments=2,
    score="margin",
    temperatures=(1.5, 1.0),
    thresholds=(1e300,),
    calibration={"mode": "drop"},
    macs=(10, 20),
    bytes=100,
    sha256="0" * 64,
    dataset_sha256="1" * 64,
    parameters={"seeds": [0]},
    libraries={"tensorflow": None, "kdtasks": "0.1.0"},
    metrics={"test": {"rows": 9, "accuracy": 1.0, "interval": [0.7, 1.0], "cost": 0.5}},
    self_test={"file": "self_test.npz", "sha256": "2" * 64, "images": 6},
    provenance={"git_revision": None, "git_changed": None, "dvc_lock_sha256": "3" * 64},
)


@pytest.fixture(scope="module")
def check():
    """Give a function that names the first thing in a manifest that the schema forbids."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(manifest_schema())
    validator.check_schema(manifest_schema())

    def find(**changes):
        content = json.loads(json.dumps({**MANIFEST.to_json(), **changes}))
        error = jsonschema.exceptions.best_match(validator.iter_errors(content))
        return error and (list(error.absolute_path), error.message)

    return find


def test_the_published_schema_is_this_one():
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == manifest_schema(), (
        "run python -m kdtasks.compress.bundle.schema > docs/manifest.schema.json"
    )


def test_every_field_is_described():
    described = manifest_schema()["properties"]
    assert sorted(described) == sorted(MANIFEST.to_json())
    assert all(len(field["description"]) > 10 for field in described.values())


def test_manifests_are_valid(check):
    assert check() is None
    assert check(metrics=None, self_test=None, provenance=None, written_on="a later day") is None


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"format_version": 2}, ["format_version"], "1 was expected"),
        ({"score": "luck"}, ["score"], "'luck' is not one of"),
        ({"sha256": "abc"}, ["sha256"], "does not match"),
        ({"temperatures": [0, 1]}, ["temperatures", 0], "less than or equal to the minimum"),
        ({"input": {"shape": [8, 8], "dtype": "uint8", "range": [0, 255]}}, ["input"], "short"),
        ({"input": {**MANIFEST.input, "deep_range": [0, 65536]}}, ["input"], "maximum"),
        ({"metrics": {"test": {"rows": 0, "accuracy": 1, "cost": 1}}}, ["metrics"], "minimum"),
        ({"self_test": {"file": "x"}}, ["self_test"], "is a required property"),
    ],
)
def test_what_is_no_manifest_is_found(check, changes, where, message):
    path, told = check(**changes)
    assert path[: len(where)] == where
    assert message in told


@pytest.mark.parametrize("name", MANIFEST.to_json())
def test_a_field_of_another_type_is_found(check, name):
    assert check(**{name: True})[0] == [name]


def _places(value, path=()):
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from _places(part, (*path, key))


_SCHEMA = manifest_schema()
_CONTENT = json.loads(json.dumps(MANIFEST.to_json()))
_PLACES = [path for path in _places(_CONTENT) if path]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(_PLACES), value=_JSON)
def test_a_device_refuses_whatever_the_schema_forbids(place, value):
    """The check without a library beside the one of jsonschema, on any value in any place."""
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads(json.dumps(_CONTENT))
    part = content
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    is_valid = jsonschema.Draft202012Validator(_SCHEMA).is_valid(content)
    try:
        parse_manifest(json.dumps(content).encode(), "it")
    except BundleError:
        return  # a device may ask for more, say as many thresholds as exits but one
    assert is_valid
