import json

import pytest

from kdtasks.core.errors import BundleError
from kdtasks.edge.bundle_files import read_manifest

INPUT = {"shape": [6, 5, 1], "dtype": "uint8", "range": [0, 255]}


def test_what_is_written_is_read_back(make_bundle):
    manifest = read_manifest(make_bundle())
    assert manifest.thresholds == (0.6, 0.6)
    assert manifest.class_names == ("ant", "bee", "cat", "dog")
    assert manifest.input_shape == (6, 5, 1)
    assert json.loads(json.dumps(manifest.to_json())) == json.loads(
        (make_bundle() / "manifest.json").read_text()
    )


def test_unknown_keys_are_left_alone(make_bundle):
    assert read_manifest(make_bundle(written_on="a later day")).name == "tiny"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, r"has format_version 2, this version of kdtasks reads 1"),
        ({"thresholds": [0.5]}, r"names 3 segments and the thresholds \[0.5\]; 2 were expected"),
        ({"temperatures": [1.0]}, r"temperatures \[1.0\]; 3 were expected"),
        ({"score": "luck"}, "score 'luck'; this version of kdtasks knows max_probability, margin,"),
        ({"macs": 7}, r"the macs 7; 3 were expected"),
        ({"input": {"shape": [1]}}, "shape, dtype and range were expected"),
        *(
            (
                {"input": INPUT | {"deep_range": wrong}},
                r"has the deep_range .*; \[lowest, highest\]",
            )
            for wrong in ([5, 5], [0, 65536], [-1, 3], [0.0, 9.0], [7], "12 bits")
        ),
        ({"refused": "no filters to remove"}, "could not be built: no filters to remove"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(make_bundle, changes, message):
    with pytest.raises(BundleError, match=message):
        read_manifest(make_bundle(**changes))


def test_missing_keys_are_named(make_bundle):
    path = make_bundle() / "manifest.json"
    content = json.loads(path.read_text())
    del content["macs"], content["score"]
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="lacks score, macs"):
        read_manifest(path.parent)


def test_missing_or_broken_files_are_refused(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json was not found"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b'{"name": "\xff')
    with pytest.raises(BundleError, match="cannot be read"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(BundleError, match="holds list, a mapping was expected"):
        read_manifest(tmp_path)
