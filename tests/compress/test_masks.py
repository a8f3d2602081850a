"""Networks that tell masks: what every pass makes of a U-Net, and what its file computes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.compress.passes.cluster import Cluster
from kdtasks.compress.passes.filters import Filters
from kdtasks.compress.passes.magnitude import Magnitude
from kdtasks.compress.passes.qat import Qat
from kdtasks.compress.tflite.graph import inspect_kernels
from kdtasks.compress.variants import CompressParams, PassesParams
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.unet import UNet

PARAMS = CompressParams(
    variants=("int8",),
    passes=PassesParams(
        magnitude=Magnitude(sparsity=0.6, epochs=1),
        filters=Filters(rank="taylor", ratio=0.5, epochs=1),
        cluster=Cluster(clusters=5, epochs=1),
        qat=Qat(epochs=1),
    ),
)


@settings(max_examples=8)
@given(
    filters=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    normalize=st.booleans(),
    has_exit=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_unet_without_its_silent_filters_computes_the_same(
    check_silent_channels, filters, normalize, has_exit, seed
):
    from kdtasks.learn.networks.build import build

    params = UNet(filters=tuple(filters), batch_normalization=normalize)
    exits = ["up_1"] if has_exit and len(filters) > 2 else []
    model = build(params, input_shape=(8, 8, 2), num_classes=3, exits=exits)
    smaller = check_silent_channels(model, seed)
    # A concatenation takes what is left of both halves.
    for layer in smaller.network.layers:
        if layer.name.endswith("_concatenate"):
            halves = [tensor.shape[-1] for tensor in layer.get_input_at(0)]
            assert layer.get_output_at(0).shape[-1] == sum(halves)


@pytest.mark.slow
def test_every_pass_after_the_other_is_kept_in_the_file(
    build_network, make_fine_tuning, draw_images, outputs
):
    from kdtasks.compress.build import compress
    from kdtasks.compress.exported import BuiltVariant, measure_parity, validate_export

    model = build_network("unet_small")
    macs, images = model.macs()[-1], draw_images(model, 20)
    fine_tuning = make_fine_tuning(model)
    content, _, _, built, _ = compress(
        model,
        "filters+magnitude+cluster+qat+int8",
        PARAMS,
        fine_tuning=fine_tuning,
        representative=images,
        class_names=("road", "roof", "tree"),
    )
    sizes = [built.network.get_layer(f"down_{level}_1_conv").filters for level in range(2)]
    assert sizes == [1, 2]
    kernels = inspect_kernels(content)
    assert kernels.sparsity >= 0.5
    assert kernels.distinct_values <= 5
    assert built.macs()[-1] < 0.4 * macs
    assert file_macs(content) == built.macs()[-1]
    images, labels = fine_tuning.validation
    parity = measure_parity(
        "int8", BuiltVariant(content, content, content, built), images, np.arange(80), seen_rows=0
    )
    assert all(exit_.error < 0.2 for exit_ in parity.exits)
    assert validate_export(content, images, labels, ignore_label=255).mean_iou


def file_macs(content):
    """Multiply-accumulates of the convolutions of a file: outputs times the weights of a filter."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    [graph] = model.subgraphs
    total = 0
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.CONV_2D:
            _, height, width, filters = graph.tensors[operator.outputs[0]].shape
            kernel = graph.tensors[operator.inputs[1]].shape
            assert kernel[0] == filters
            total += int(height * width * np.prod(kernel))
    return total


def draw_fields(count, side, generator):
    """Draw patches like aerial images: smooth noisy areas of three kinds, and their masks."""
    y, x = np.mgrid[:side, :side] / side
    waves = generator.normal(size=(count, 4, 1, 1))
    height = np.sin(4 * waves[:, 0] * x + waves[:, 1]) + np.sin(4 * waves[:, 2] * y + waves[:, 3])
    masks = np.digitize(height, [-0.4, 0.6]).astype(np.uint8)
    colours = np.array([[60, 90, 160], [90, 140, 70], [170, 150, 130]])
    noise = generator.normal(0, 12, (count, side, side, 3))
    images = np.clip(colours[masks] + noise, 0, 255).astype(np.uint8)
    masks[generator.random(masks.shape) < 0.1] = 255
    return images, masks


@pytest.fixture(scope="module")
def trained():
    """A U-Net that tells the three kinds apart, and images that it has not seen."""
    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.objectives.objective import LabelLossSum, LabelObjective
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import TrainingSchedule, train
    from kdtasks.learn.training.settings import TrainParams

    seed_everything(0)
    generator = np.random.default_rng(0)
    images, masks = draw_fields(96, 16, generator)
    unseen = draw_fields(48, 16, generator)
    params = UNet(filters=(4, 8, 8))
    model = build(params, input_shape=(16, 16, 3), num_classes=3)
    train(
        model,
        TrainingExamples(images[None], masks[None]),
        validation=unseen,
        objective=LabelObjective(LabelLossSum(255)),
        schedule=TrainingSchedule(
            TrainParams(batch_size=16, guard_epochs=30), epochs=30, learning_rate=0.01, seed=0
        ),
        ignore_label=255,
    )
    return model, images[:32], unseen


@pytest.mark.parametrize(
    ("number_format", "types", "agreement"),
    [("int8", "int8", 0.95), pytest.param("int16x8", "int16", 0.97, marks=pytest.mark.slow)],
)
def test_a_trained_unet_stays_itself_in_whole_numbers(number_format, types, agreement, trained):
    from kdtasks.compress.convert import convert
    from kdtasks.compress.exported import BuiltVariant, measure_parity, validate_export
    from kdtasks.compress.tflite.graph import signature_types
    from kdtasks.learn.training.run import exit_scores

    model, representative, (draw_images, masks) = trained
    content = convert(model, number_format=number_format, representative=representative)
    assert signature_types(content) == {"segment_0": {"image": types, "logits": types}}
    segments = Segments(content)
    assert (segments.input_shape, segments.logits_shape) == ((16, 16, 3), (16, 16, 3))
    [found] = measure_parity(
        number_format,
        BuiltVariant(content, content, content, model),
        draw_images,
        np.arange(len(draw_images)),
        seen_rows=0,
    ).exits
    assert found.changed <= 1 - agreement
    assert found.interval is not None
    assert found.interval[0] < found.changed < found.interval[1]
    mean_iou = exit_scores(model, draw_images, masks, ignore_label=255).score("mean_iou")
    assert mean_iou > 0.6  # or being the same would mean nothing
    scores = validate_export(content, draw_images, masks, ignore_label=255)
    assert scores.score("mean_iou") == pytest.approx(mean_iou, abs=0.05)
