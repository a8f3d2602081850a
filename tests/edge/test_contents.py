import json

import numpy as np
import pytest

from kdtasks.compress.tflite.metadata import add_metadata, embed_manifest
from kdtasks.core.errors import BundleError
from kdtasks.edge.bundle_files import open_bundle_files, read_manifest
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.manifest import NAME
from kdtasks.orchestrate.project.pack import write_archive


@pytest.fixture
def forms(network, make_bundle, tmp_path):
    """One bundle as a folder, as a `.kdz`, and its model alone."""
    plain = make_bundle()
    folder = make_bundle(embed_manifest(network.float32, read_manifest(plain)))
    (folder / ".kdtasks-version.json").write_text("{}")
    with open_bundle_files(folder) as contents:
        assert contents.names == ("manifest.json", "model.tflite")
        write_archive(tmp_path / "it.kdz", {n: contents.read(n) for n in contents.names})
    return folder, tmp_path / "it.kdz", folder / "model.tflite"


def test_every_form_answers_the_same(forms, network):
    models = [Classifier.load(form) for form in forms]
    for image in network.images[:10]:
        first, *others = [model.predict(image) for model in models]
        for other in others:
            assert other[:4] == first[:4]
            np.testing.assert_array_equal(other.probabilities, first.probabilities)


def test_every_form_says_the_same_of_itself(forms):
    folder, kdz, bare = map(read_manifest, forms)
    assert kdz == folder
    assert bare.embedded() == folder.embedded()
    assert (bare.sha256, bare.bytes) == (folder.sha256, folder.bytes)
    assert (bare.calibration, bare.self_test) == ({}, None)


def test_what_is_no_bundle_is_refused(tmp_path, network):
    for name, message in {
        "none": "was not found; give the folder of a bundle, a .kdz file or a .tflite",
        "photo.jpg": "photo.jpg is no bundle; give the folder of a bundle",
        "bad.kdz": "bad.kdz is no whole .kdz file",
        "bad.tflite": "bad.tflite is no .tflite",
        "plain.tflite": f"plain.tflite has no metadata {NAME}, which tells classes and thresholds",
        "odd.tflite": "the metadata of .*odd.tflite cannot be read",
        "short.tflite": "the metadata of .*short.tflite lacks variant",
    }.items():
        content = {
            "plain.tflite": network.float32,
            "odd.tflite": add_metadata(network.float32, NAME, b"{"),
            "short.tflite": add_metadata(
                network.float32, NAME, json.dumps({"format_version": 1, "name": "it"}).encode()
            ),
        }.get(name, b"nothing of the kind")
        if name != "none":
            (tmp_path / name).write_bytes(content)
        with pytest.raises(BundleError, match=message):
            read_manifest(tmp_path / name)


def test_a_damaged_model_in_an_archive_is_refused(forms, network, tmp_path):
    folder, kdz, _ = forms
    files = {"manifest.json": (folder / "manifest.json").read_bytes(), "model.tflite": b"other"}
    write_archive(kdz, files)
    with pytest.raises(BundleError, match=r"model\.tflite in .*it\.kdz has the SHA-256"):
        Classifier.load(kdz)
    write_archive(kdz, {"model.tflite": network.float32})
    with pytest.raises(BundleError, match=r"it\.kdz is no bundle, it has no manifest\.json"):
        Classifier.load(kdz)
