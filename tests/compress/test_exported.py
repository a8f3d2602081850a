"""Figures read from the exported file."""

import pytest

from kdtasks.compress.exported import checked_kernels
from kdtasks.core.errors import ExportError


@pytest.fixture(scope="module")
def model(build_network):
    """A network with zeros in one kernel."""
    model = build_network("composite")
    layer = model.network.get_layer("left")
    kernel, bias = layer.get_weights()
    kernel[0] = 0  # a third of 3·3·3·4
    layer.set_weights([kernel, bias])
    return model


@pytest.mark.parametrize(
    ("number_format", "types"),
    [("float32", "float32"), ("float16", "float32"), ("int8", "int8")],
)
def test_zeros_and_types_are_those_of_the_file(number_format, types, model, draw_images):
    from kdtasks.compress.convert import convert
    from kdtasks.compress.tflite.graph import signature_types

    content = convert(model, number_format=number_format, representative=draw_images(model, 8))
    found = checked_kernels(content, model)
    assert {kind for given in signature_types(content).values() for kind in given.values()} == {
        types
    }
    kernels = [w for w in model.network.get_weights() if w.ndim > 1]
    assert found.weights == sum(kernel.size for kernel in kernels)
    if number_format == "int8":  # rounding adds a few
        assert 36 <= found.zeros < 36 + 0.05 * found.weights
    else:
        assert found.zeros == 36
    assert found.sparsity == found.zeros / found.weights
    assert 2 <= found.distinct_values <= (255 if number_format == "int8" else 500)


def test_lost_zeros_are_an_error(model, draw_images, build_network):
    from kdtasks.compress.convert import convert

    content = convert(build_network("composite"), number_format="float32")
    with pytest.raises(ExportError, match="the file have 0 zeros, those of the network 36;"):
        checked_kernels(content, model)
