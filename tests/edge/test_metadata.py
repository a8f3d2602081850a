import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kdtasks.compress.tflite.metadata import add_metadata, embed_manifest
from kdtasks.core.errors import BundleError, ExportError
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.manifest import NAME, read_metadata
from kdtasks.edge.segments import Segments


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_converted_file_runs_as_before(network, kind):
    content = getattr(network, kind)
    before, after = Segments(content), Segments(add_metadata(content, "note", b"hello"))
    for image in network.images[:5]:
        np.testing.assert_array_equal(after.logits(image), before.logits(image))


def test_weights_stay_aligned(network):
    def places(content):
        model = schema.Model.GetRootAs(content)
        for index in range(model.BuffersLength()):
            data = model.Buffers(index)
            if data.DataLength() >= 64:  # weights, of which a copy can be found
                yield content.index(bytes(data.DataAsNumpy())) % 16

    before = list(places(network.float32))
    assert len(before) >= 5
    assert list(places(add_metadata(network.float32, "note", b"123"))) == before


def test_a_manifest_is_embedded_once(network, make_bundle):
    manifest = read_manifest(make_bundle())
    content = embed_manifest(network.float32, manifest)
    told = json.loads(read_metadata(content, "it") or b"")
    assert told["class_names"] == ["ant", "bee", "cat", "dog"]
    assert told["thresholds"] == [0.6, 0.6]
    with pytest.raises(ExportError, match=f"has the metadata {NAME} already"):
        embed_manifest(content, manifest)


@pytest.mark.parametrize("length", [0, 7, 8, 40])
def test_a_cut_file_is_refused(network, length):
    with pytest.raises(BundleError, match=r"cut\.tflite is (damaged|no \.tflite)"):
        read_metadata(network.float32[:length], "cut.tflite")
