"""Variants: from a distilled student to a file, or to a reason why there is none."""

import gzip

import numpy as np
import pytest

from kdtasks.compress.exported import (
    BuiltVariant,
    describe_variant,
    measure_parity,
    validate_export,
)
from kdtasks.compress.passes.cluster import Cluster
from kdtasks.compress.passes.filters import Filters
from kdtasks.compress.passes.magnitude import Magnitude
from kdtasks.compress.passes.qat import Qat
from kdtasks.compress.tflite.graph import inspect_kernels
from kdtasks.compress.variants import CompressParams, PassesParams
from kdtasks.core.records.training import ExitScores
from kdtasks.edge.segments import Segments

# Largest error of a logit allowed, as a share of the largest logit of the network converted.
VARIANTS = {
    "float32": 1e-5,
    "float16": 2e-3,
    "dynamic_int8": 0.05,
    "int8": 0.1,
    "int16x8": 0.05,
    "space_to_depth+int8": 0.1,
    "magnitude+int8": 0.1,
    "qat+int8": 0.1,
    "cluster+float32": 1e-5,
    "magnitude+cluster+qat+int8": 0.1,
    "filters+int8": 0.1,
    "filters+magnitude+int8": 0.1,
}
PARAMS = CompressParams(
    variants=tuple(VARIANTS),
    passes=PassesParams(
        magnitude=Magnitude(sparsity=0.6, epochs=1),
        filters=Filters(ratio=0.5, epochs=1),
        cluster=Cluster(clusters=5, epochs=1),
        qat=Qat(epochs=1),
    ),
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_a_file_that_runs(
    variant, build_network, make_fine_tuning, draw_images, outputs
):
    from kdtasks.compress.build import compress

    model = build_network("cnn_average")
    images = draw_images(model, 40)
    content, converted, shipped, built, _ = compress(
        model,
        variant,
        PARAMS,
        fine_tuning=make_fine_tuning(model),
        representative=images,
        class_names=("cat", "dog", "horse"),
    )
    assert b"horse" in shipped
    assert shipped.endswith(content[8:])
    # Of int8 the early exit's average is taken by a convolution, besides all that is asked for.
    assert (converted == content) is (variant.split("+")[-1] != "int8")
    segments = Segments(content)
    assert segments.count == model.num_exits
    assert segments.input_shape == model.input_shape
    expected = np.stack(outputs(built, images), axis=1)
    error = np.abs(segments.logits_of(images) - expected).max() / np.abs(expected).max()
    assert error < VARIANTS[variant]
    if variant == "float32":
        assert built is model
    kernel = built.network.get_layer("block_2_1_conv").get_weights()[0]
    assert kernel.shape[-1] == (3 if "filters" in variant else 6)
    if "magnitude" in variant:
        assert np.count_nonzero(kernel == 0) == pytest.approx(0.6 * kernel.size, abs=1)
        assert inspect_kernels(content).sparsity >= 0.58  # in the file as well
    if "cluster" in variant:
        assert len(np.unique(kernel)) <= 5
        assert inspect_kernels(content).distinct_values <= 5


def test_a_variant_is_described(build_network, draw_images, outputs):
    from kdtasks.compress.convert import convert

    model = build_network("cnn_average")
    images = draw_images(model, 30)
    predicted = [logits.argmax(axis=-1) for logits in outputs(model, images)]
    labels = np.where(np.arange(30) < 21, predicted[-1], 3 - predicted[-1])
    content = convert(model, number_format="float32")
    shipped = content + b"classes"
    found = describe_variant(
        "float32",
        BuiltVariant(content, content, shipped, model),
        base_seed=2,
        validation=(images, labels),
        parity=measure_parity(
            "float32",
            BuiltVariant(content, content, shipped, model),
            images,
            np.arange(len(images)),
            seen_rows=0,
        ),
    )
    early = round(float(np.mean(predicted[0] == labels)), 6)
    assert found.validation.accuracy == (early, 0.7)
    assert found.gzip_bytes == len(gzip.compress(shipped, 9, mtime=0))
    assert (found.variant, found.base_seed) == ("float32", 2)
    assert found.bytes == len(shipped)
    assert found.parameters == found.nonzero_parameters == model.count_parameters()
    assert list(found.macs) == model.macs()
    assert found.tensors["segment_0"] == {
        "features_0": "float32",
        "image": "float32",
        "logits": "float32",
    }
    assert all(exit_.changed == 0 and exit_.error < 1e-5 for exit_ in found.parity.exits)
    assert found.sparsity == 0.0


def test_masks_are_judged_on_labelled_pixels(monkeypatch):
    labels = np.array([[[0, 1, 255]], [[2, 255, 255]]], np.uint8)  # two masks of 1×3 pixels
    answers = np.array([[[[0, 1, 1]], [[1, 1, 1]]], [[[2, 2, 2]], [[0, 0, 0]]]])  # two exits each

    class Answers:
        count, num_classes, logits_shape = 2, 4, (1, 3, 4)

        def __init__(self, content):
            assert content == b"model"

        def logits_of(self, images):
            [row] = images[:, 0, 0] // 2  # masks stand for images; one at a time
            return np.eye(4, dtype=np.float32)[answers[row : row + 1]]

    monkeypatch.setattr("kdtasks.compress.exported._PART", 30)
    monkeypatch.setattr("kdtasks.compress.exported.Segments", Answers)
    scores = validate_export(b"model", labels, labels, ignore_label=255)
    # Of three labelled pixels the first exit knows all, the second one: two others get class 1 or
    # 0, so that the classes have 0 of 2, 1 of 2 and 0 of 1.
    assert scores == ExitScores(accuracy=(1.0, 0.333333), mean_iou=(1.0, 0.166667))
