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
        ({"thresholds": [0.5]}, r"names 3 segments and 1 thresholds; 2 were expected"),
        ({"temperatures": [1.0]}, r"names 3 segments and 1 temperatures; 3 were expected"),
        ({"score": "luck"}, "has the score 'luck'; one of max_probability, margin,"),
        ({"macs": 7}, r"has the macs 7; array was expected"),
        ({"input": {"shape": [1]}}, "it lacks dtype, range"),
        ({"input": INPUT | {"shape": [60000, 60000, 3]}}, "268,435,456 numbers an image are the"),
        ({"input": INPUT | {"deep_range": [5, 5]}}, r"has the deep_range \[5, 5\]; \[lowest, hig"),
        *(
            ({"input": INPUT | {"deep_range": wrong}}, r"has the input.deep_range.* was expected")
            for wrong in ([0, 65536], [-1, 3], [0.0, 9.0], [7], "12 bits")
        ),
        ({"self_test": {"file": "../x.npz", "sha256": "0" * 64, "images": 1}}, "'self_test.npz'"),
        ({"sha256": "0" * 64 + "\n"}, "text of the form"),
        ({"parameters": {"data": {"image_size": "large"}}}, r"parameters\.data\.image_size"),
        ({"refused": "no filters to remove"}, "could not be built: no filters to remove"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(make_bundle, changes, message):
    with pytest.raises(BundleError, match=message):
        read_manifest(make_bundle(**changes))


def test_numbers_that_are_none_are_refused(make_bundle):
    path = make_bundle() / "manifest.json"
    text = path.read_text()
    for old, new, message in (
        ("2.0", "1e999", r"has the temperatures\[0\] inf; a number from 0 to 1e\+300 was expected"),
        ("0.6", "NaN", r"has the thresholds\[0\] nan; a number from -1e\+300 to 1e\+300 was"),
        ("100", "true", r"has the macs\[0\] True; integer was expected"),
    ):
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(BundleError, match=message):
            read_manifest(path.parent)


def test_a_manifest_without_an_end_is_refused(make_bundle):
    path = make_bundle() / "manifest.json"
    for text in ("[" * 100_000, '{"name": ' * 100_000, '{"format_version": 1' + "0" * 5000 + "}"):
        path.write_text(text)
        with pytest.raises(BundleError, match="cannot be read"):
            read_manifest(path.parent)
    path.write_text(json.dumps({"parameters": "x" * 2**24}))
    with pytest.raises(BundleError, match="it has more than 16,777,216 bytes"):
        read_manifest(path.parent)


def test_half_a_character_is_refused(make_bundle):
    path = make_bundle() / "manifest.json"
    content = json.loads(path.read_text()) | {"name": "\ud800"}
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"cannot be read .*surrogates not allowed"):
        read_manifest(path.parent)


def test_missing_keys_are_named(make_bundle):
    path = make_bundle() / "manifest.json"
    content = json.loads(path.read_text())
    del content["macs"], content["score"]
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="lacks score, macs"):
        read_manifest(path.parent)


def test_missing_or_broken_files_are_refused(tmp_path):
    with pytest.raises(BundleError, match=r"is no bundle, it has no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b'{"name": "\xff')
    with pytest.raises(BundleError, match="cannot be read"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(BundleError, match="holds list, a mapping was expected"):
        read_manifest(tmp_path)
