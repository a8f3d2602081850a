"""A project's own passes and number formats: a file in `extensions/`, and variants are made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.compress.tflite.graph import inspect_kernels, read_graphs, signature_types
from kdtasks.edge.segments import Segments
from tests.tools.warm_scripts import RunWarm

PASS = '''
from typing import ClassVar

import numpy as np
from pydantic import Field

from kdtasks.compress.passes import TrainingPass, passes

@passes.register
class Ternary(TrainingPass):
    """Every weight of a kernel becomes 0 or one size, with its sign."""

    name: ClassVar[str] = "ternary"
    order: ClassVar[int] = 25
    reestimates_batch_norm: ClassVar[bool] = False

    size: float = Field(default=1.0, description="of a weight that stays")

    def apply(self, model, context):
        """Round."""
        for variable in model.network.trainable_variables:
            if len(variable.shape) > 1:
                variable.assign(self.size * np.rint(np.clip(variable.numpy(), -1, 1)))
        return model
'''

NUMBER_FORMAT = '''
from typing import ClassVar

from kdtasks.compress.number_formats import NumberFormat, number_formats
from kdtasks.core.backend import tf

@number_formats.register
class Int8Inside(NumberFormat):
    """int8 but for inputs and outputs, which are float32."""

    name: ClassVar[str] = "int8_inside"
    tolerance: ClassVar[float] = 0.25
    needs_images: ClassVar[bool] = True

    def configure(self, converter, images):
        """Ask for int8 where there is a kernel for it."""
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = images
'''

BUILD = """
from pathlib import Path

import numpy as np

from kdtasks.compress.build import compress
from kdtasks.compress.variants import CompressParams, check_variant
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.orchestrate.search.candidates import search_space
from kdtasks.params.docs import render_reference
from kdtasks.params.search import SearchParams

params = CompressParams.model_validate({"variants": [variant], "passes": passes})
network = CNN(filters=(8, 16), batch_normalization=False)
model = build(network, input_shape=(8, 8, 1), num_classes=3, exits=("block_1",))
images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), np.uint8)
content = compress(
    model, variant, params, fine_tuning=None, representative=images, class_names=("a", "b", "c")
).content
Path("model.tflite").write_bytes(content)
Path("parameters.md").write_text(render_reference(), encoding="utf-8")
print(*(it.label for it in search_space(SearchParams(), params, early_exits=False)))
"""


@pytest.fixture
def build(tmp_path: Path, run_warm: RunWarm) -> Callable[..., tuple[bytes, str, str]]:
    """Give a function that builds a variant in a project that has an extension.

    It gives the file, the page of parameters, and the variants that a search tries.
    """

    def make(extension: str, variant: str, passes: Any = None) -> tuple[bytes, str, str]:
        (tmp_path / "extensions").mkdir()
        (tmp_path / "extensions" / "own.py").write_text(extension, encoding="utf-8")
        # A process of its own: registries are read once.
        ran = run_warm(tmp_path, f"variant, passes = {variant!r}, {passes or {}!r}\n{BUILD}")
        assert ran.returncode == 0, ran.stderr
        page = (tmp_path / "parameters.md").read_text(encoding="utf-8")
        return (tmp_path / "model.tflite").read_bytes(), page, ran.stdout

    return make


def test_a_pass(build: Callable[..., tuple[bytes, str, str]]):
    content, page, _ = build(PASS, "ternary+float32", {"ternary": {"size": 0.25}})
    assert inspect_kernels(content).distinct_values == 3  # −0.25, 0 and 0.25
    assert "`filters`, `magnitude`, `ternary`, `cluster`" in page
    assert "### `compress.passes.ternary`" in page
    assert "| `size` | number | `1.0` | of a weight that stays |" in page


def test_a_number_format(build: Callable[..., tuple[bytes, str, str]]):
    content, page, tried = build(NUMBER_FORMAT, "int8_inside")
    types = {kind for tensors in signature_types(content).values() for kind in tensors.values()}
    assert types == {"float32"}
    graph = read_graphs(content)[0]
    convolution = next(operator for operator in graph.operators if operator.name == "CONV_2D")
    assert [graph.tensors[number].dtype for number in convolution.inputs[:2]] == ["int8", "int8"]
    assert Segments(content).logits_of(np.zeros((1, 8, 8, 1), np.uint8)).shape == (1, 2, 3)
    assert "`int8`, `int16x8`, `int8_inside`" in page
    assert "int8_inside" in tried.split()
