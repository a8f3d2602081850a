import dataclasses
import hashlib
import json

import numpy as np
import pytest

from kdtasks.compress.bundle.write import (
    make_manifest,
    make_self_test,
    write_bundle,
)
from kdtasks.core.errors import BundleError, ExportError
from kdtasks.core.records.calibration import (
    Calibration,
    CandidateCounts,
    ExpectedPoint,
    Guarantee,
    ValidationPoint,
)
from kdtasks.core.records.evaluate import Quality
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.segmenter import Segmenter
from kdtasks.edge.segments import Segments
from tests.tools.datasets import describe_dataset
from tests.tools.records import parity
from tests.tools.segmentation_bundles import convert_colour_model

CALIBRATION = Calibration(
    mode="drop",
    score="max_probability",
    temperatures=(1.5,),
    thresholds=(),
    macs=(12,),
    expected=ExpectedPoint(accuracy=0.9, cost=1.0, exit_rate=(1.0,)),
    full=Quality(accuracy=0.9),
    rows=10,
    validation=ValidationPoint(accuracy=0.8, cost=1.0),
)


@pytest.fixture(scope="module")
def tflite(tmp_path_factory):
    """A network with one exit: three classes from 2 by 2 pixels."""
    from kdtasks.core.backend import tf

    weights = np.arange(12, dtype=np.float32).reshape(4, 3)

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 2, 2, 1), tf.float32, name="image")])
        def segment_0(self, image):
            return {"logits": tf.reshape(image, (1, 4)) @ weights}

    folder = tmp_path_factory.mktemp("network")
    module = Network()
    tf.saved_model.save(module, str(folder / "saved"), signatures={"segment_0": module.segment_0})
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder / "saved"), signature_keys=["segment_0"]
    )
    return bytes(converter.convert())


@pytest.fixture
def describe(tmp_path):
    def make(**changes):
        dataset = {"class_names": ("ant", "bee", "größe 3"), "image_shape": (2, 2, 1)}
        calibration = changes.pop("calibration", {})
        return make_manifest(
            describe_dataset(tmp_path, **{**dataset, **changes}),
            CALIBRATION.model_copy(update=calibration),
            name="pixels-student",
            variant="float32",
            parity=parity((0.01, 0.0)),
            parameters={"exits": {"mode": "drop"}},
        )

    return make


def test_the_range_of_sixteen_bits_travels_in_both_manifests(tflite, describe, tmp_path):
    folder = tmp_path / "bundles" / "float32"
    write_bundle(folder, tflite, describe(deep_range=(0, 4095)))
    for place in (folder, folder / "model.tflite"):
        model = Classifier.load(place)
        assert model.manifest.input["deep_range"] == [0, 4095]
        assert model.decoder().deep_range == (0, 4095)
    write_bundle(folder, tflite, describe())
    assert Classifier.load(folder).decoder().deep_range is None


def test_a_bundle_holds_what_a_device_needs(tflite, describe, tmp_path):
    folder = tmp_path / "bundles" / "float32"
    written = write_bundle(folder, tflite, describe())
    assert sorted(path.name for path in folder.iterdir()) == [
        *("labels.txt", "manifest.json", "model.tflite", "sbom.cdx.json")
    ]
    assert (folder / "labels.txt").read_text(encoding="utf-8") == "ant\nbee\ngröße 3\n"
    model = (folder / "model.tflite").read_bytes()
    assert model.endswith(tflite[8:])  # as converted, behind the metadata
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert content["format_version"] == 1
    assert content["sha256"] == hashlib.sha256(model).hexdigest() == written.sha256
    assert content["bytes"] == len(model)
    assert content["dataset_sha256"] == hashlib.sha256(b'{"name": "pixels"}\n').hexdigest()
    assert content["input"] == {"shape": [2, 2, 1], "dtype": "uint8", "range": [0, 255]}
    assert content["calibration"]["expected"] == {"accuracy": 0.9, "cost": 1.0, "exit_rate": [1.0]}
    assert content["libraries"]["ai-edge-litert"]
    # Pixel 1 alone weighs (3, 4, 5).
    prediction = Classifier.load(folder).predict(np.array([[[0], [1]], [[0], [0]]], np.uint8))
    assert (prediction.label, prediction.exit_index) == ("größe 3", 0)


def test_the_model_alone_is_usable(tflite, describe, tmp_path):
    manifest = write_bundle(tmp_path / "bundle", tflite, describe())
    model = Classifier.load(tmp_path / "bundle" / "model.tflite")
    assert model.manifest.embedded() == manifest.embedded()
    assert (model.manifest.sha256, model.manifest.bytes) == (manifest.sha256, manifest.bytes)
    assert model.predict(np.array([[[0], [1]], [[0], [0]]], np.uint8)).label == "größe 3"


def test_the_validation_split_speaks_for_the_bundle(describe):
    # Wilson for 80 of 100 at 95 %, by hand: (0.8 + 1.9207/100 ± 1.96 √(0.0016 + 0.000096)) / 1.0384
    figures = describe().metrics["validation"]
    assert figures["interval"] == pytest.approx([0.7112, 0.8666], abs=1e-4)
    assert {key: figures[key] for key in ("rows", "accuracy", "cost", "confidence")} == {
        "rows": 100,
        "accuracy": 0.8,
        "cost": 1.0,
        "confidence": 0.95,
    }
    by_class = ValidationPoint(accuracy=0.8, balanced_accuracy=0.7, macro_f1=0.6, cost=1.0)
    told = describe(calibration={"validation": by_class}).metrics["validation"]
    assert (told["balanced_accuracy"], told["macro_f1"]) == (0.7, 0.6)
    assert describe(task="segmentation").metrics == {
        "validation": {"rows": 100, "accuracy": 0.8, "cost": 1.0}
    }


def test_a_self_test_travels_with_the_bundle(tflite, describe, tmp_path):
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    stored = make_self_test(Segments(tflite), images, describe(), count=2)
    manifest = write_bundle(tmp_path / "bundle", tflite, describe(), stored)
    assert manifest.self_test
    assert manifest.self_test["images"] == 2
    model = Classifier.load(tmp_path / "bundle")
    np.testing.assert_array_equal(model.test_images, images[:2])
    assert model.self_test() == 2


def test_a_self_test_of_another_model_is_not_written(tflite, describe, tmp_path):
    stored = make_self_test(Segments(tflite), np.ones((3, 2, 2, 1), np.uint8), describe(), count=2)
    wrong = dataclasses.replace(stored, logits=stored.logits + 5)
    with pytest.raises(BundleError, match=r"image 0, exit 0: logit 0 is 18, 23 was expected"):
        write_bundle(tmp_path / "bundle", tflite, describe(), wrong)
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_of_segmentation_is_opened_as_a_device_would(describe, tmp_path):
    content = convert_colour_model(tmp_path / "saved")
    manifest = describe(task="segmentation", image_shape=(8, 12, 3))
    images = (np.arange(3 * 8 * 12 * 3) % 256).astype(np.uint8).reshape(3, 8, 12, 3)
    stored = make_self_test(Segments(content), images, manifest, count=2)
    write_bundle(tmp_path / "bundle", content, manifest, stored)
    segmenter = Segmenter.load(tmp_path / "bundle")
    assert segmenter.self_test() == 2
    assert Segmenter.load(tmp_path / "bundle" / "model.tflite").manifest.task == "segmentation"
    assert segmenter.classes(np.zeros((1, 8, 12, 3), np.uint8)).shape == (1, 8, 12)
    with pytest.raises(BundleError, match="export the bundle again"):
        write_bundle(
            tmp_path / "other", content, dataclasses.replace(manifest, class_names=("ant", "bee"))
        )
    assert not (tmp_path / "other").exists()


def test_the_manifest_records_a_guarantee(describe):
    assert "guarantee" not in describe().calibration
    promise = Guarantee(
        risk="consistency",
        epsilon=0.02,
        delta=0.1,
        certified=True,
        p_value=0.01,
        loss=0.0,
        rows=5,
        candidates=CandidateCounts(found=2, certified=1),
        statement="It holds.",
    )
    content = describe(calibration={"guarantee": promise}).to_json()["calibration"]["guarantee"]
    assert content == json.loads(promise.model_dump_json())


def test_the_same_model_gives_the_same_bytes(tflite, describe, tmp_path):
    contents = []
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    for name in ("first", "second"):
        write_bundle(
            tmp_path / name,
            tflite,
            describe(),
            make_self_test(Segments(tflite), images, describe(), count=2),
        )
        files = sorted((tmp_path / name).iterdir())
        contents.append([(path.name, path.read_bytes()) for path in files])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ("ant", "bee")},
        {"image_shape": (2, 3, 1)},
        {"calibration": {"thresholds": (0.5,)}},
        {"calibration": {"temperatures": (1.0, 1.0), "macs": (1, 2)}},
    ],
)
def test_a_bundle_that_does_not_fit_is_not_written(tflite, describe, tmp_path, changes):
    folder = tmp_path / "bundle"
    with pytest.raises(BundleError, match="export the bundle again"):
        write_bundle(folder, tflite, describe(**changes))
    assert not folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset.json"]


def test_a_failed_write_leaves_the_bundle_before_it(tflite, describe, tmp_path):
    folder = tmp_path / "bundle"
    write_bundle(folder, tflite, describe())
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(BundleError):
        write_bundle(folder, tflite, describe(image_shape=(9, 9, 1)))
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("label", ["two\nlines", "", "end\r"])
def test_a_class_name_that_is_not_a_line_is_refused(describe, label):
    with pytest.raises(ExportError, match="is not one line of text; rename the class"):
        describe(class_names=("ant", "bee", label))
