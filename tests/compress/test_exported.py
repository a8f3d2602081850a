"""Figures read from the exported file."""

import numpy as np
import pytest

from kdtasks.compress.exported import ParityTally, checked_kernels
from kdtasks.core.errors import ExportError
from kdtasks.core.records.compress import Parity


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


def parity(found, expected, *, number_format):
    whole = ParityTally()
    whole.add(found, expected)
    return whole.result(number_format=number_format)


def test_parity_by_hand():
    expected = np.array([[[3.0, -4.0], [0.0, 5.0]]])  # root mean square √12.5
    found = expected + np.array([[[0.5, 0.5], [0.5, -6.0]]])  # the second answer changes
    size, error = 12.5**0.5, (36.75 / 4) ** 0.5
    with pytest.raises(ExportError, match=r"by 0\.86 of their size, int8 explains 0\.5"):
        parity(found, expected, number_format="int8")
    assert error / size == pytest.approx(0.857, abs=1e-3)
    close = expected + 0.01
    assert parity(close, expected, number_format="float16") == Parity(
        rms_error=0.002828, agreement=(1.0, 1.0)
    )
    with pytest.raises(ExportError, match=r"float32 explains 0\.0001"):
        parity(close, expected, number_format="float32")
    with pytest.raises(ExportError, match="by nan of"):
        parity(close * np.nan, expected, number_format="int8")


def test_parity_does_not_depend_on_the_parts():
    generator = np.random.default_rng(0)
    expected = generator.normal(size=(7, 2, 3, 4, 5))  # masks of 3×4 pixels from two exits
    found = expected + generator.normal(size=expected.shape) / 4
    parts = ParityTally()
    for rows in (slice(0, 3), slice(3, 4), slice(4, 7)):
        parts.add(found[rows], expected[rows])
    figures = parts.result(number_format="int8")
    assert figures == parity(found, expected, number_format="int8")
    same = found.argmax(axis=-1) == expected.argmax(axis=-1)
    assert figures.agreement == tuple(round(float(same[:, k].mean()), 6) for k in range(2))
