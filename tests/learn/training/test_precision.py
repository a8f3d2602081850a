"""Steps in bfloat16: another arithmetic where the processor knows it, float32 all around."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.core.processor import read_processor
from kdtasks.learn.training import step
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.step import precision_scope

Run = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def unoptimized_graphs() -> None:
    """Graphs are rewritten here: that is what brings numbers of 16 bits."""


# In a process of its own, since this one has pinned instructions that know no bfloat16.
MULTIPLY = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from kdtasks.core.reproducibility import pin_process
pin_process(1, precision="bfloat16")
from kdtasks.core.backend import tf
from kdtasks.learn.training.step import precision_scope

matrix = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)

@tf.function
def multiply(a):
    return tf.matmul(tf.matmul(a, a), a)

inputs = tf.constant(matrix)
exact = multiply(inputs).numpy()
with precision_scope("bfloat16"):
    coarse = multiply(inputs).numpy()
    with ThreadPoolExecutor(1) as others:
        there = others.submit(lambda: multiply(inputs).numpy()).result()
assert (there == coarse).all(), "a thread that began inside computes otherwise"
after = multiply(inputs).numpy()
assert (after == exact).all(), "float32 has not come back"
print(np.abs(coarse - exact).max() / np.abs(exact).max())
"""


def test_products_are_coarser_inside_and_exact_outside():
    done = subprocess.run(
        [sys.executable, "-c", MULTIPLY],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "ONEDNN_MAX_CPU_ISA"},
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    error = float(done.stdout)
    # 8 bits of mantissa: products are off by up to 2**-8, and a sum of many by less
    if "amx_bf16" in read_processor().features:
        assert 1e-5 < error < 2**-6
    else:
        assert error < 2**-6


@pytest.mark.parametrize("named", ["", "Foo,Bar"])
def test_kernels_of_one_channel_stay_in_float32(named: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE", named)
    draw = np.random.default_rng(0)
    images = tf.constant(draw.normal(size=(8, 16, 16, 32)), tf.float32)
    kernel = tf.constant(draw.normal(size=(5, 5, 32, 1)), tf.float32)

    def filtered(images: Any) -> Any:
        return tf.nn.depthwise_conv2d(images, kernel, (1, 1, 1, 1), "SAME")

    expected = tf.function(filtered)(images)
    with precision_scope("bfloat16"):
        np.testing.assert_array_equal(tf.function(filtered)(images), expected)


def test_the_option_is_left_as_it_was():
    before = tf.config.optimizer.get_experimental_options()
    with pytest.raises(RuntimeError, match="stop"), precision_scope("bfloat16"):
        raise RuntimeError("stop")
    option = "auto_mixed_precision_onednn_bfloat16"
    after = tf.config.optimizer.get_experimental_options()
    assert not after.get(option, False)
    assert {**after, option: False} == {**before, option: False}


def test_on_a_gpu_tensor_float_32_is_used_inside_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(step, "has_gpu", lambda: True)
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with precision_scope("float32"):
        assert not enabled()
    with precision_scope("bfloat16"):
        assert enabled()
    assert not enabled()


def test_it_learns_in_bfloat16_and_its_weights_stay_float32(run: Run, schedule: TrainingSchedule):
    trained = run(schedule=dataclasses.replace(schedule, epochs=25, precision="bfloat16"))
    assert trained.history[-1]["validation_accuracy"] > 0.9
    assert {weight.dtype for weight in trained.model.network.get_weights()} == {
        np.dtype(np.float32)
    }


def test_the_teacher_is_asked_in_it_and_validation_is_not(
    run: Run, schedule: TrainingSchedule, monkeypatch: pytest.MonkeyPatch
):
    from kdtasks.learn.training import loop

    option, seen = "auto_mixed_precision_onednn_bfloat16", []

    def is_on() -> bool:
        return bool(tf.config.optimizer.get_experimental_options().get(option, False))

    def prefetched(blocks: Any) -> Any:
        def watched() -> Any:
            for block in blocks:
                seen.append(("blocks", is_on()))
                yield block

        return prefetch(watched())

    def validate(*arguments: Any, **named: Any) -> Any:
        seen.append(("validation", is_on()))
        return judge(*arguments, **named)

    prefetch, judge = loop._prefetch, loop._validate
    monkeypatch.setattr(loop, "_prefetch", prefetched)
    monkeypatch.setattr(loop, "_validate", validate)
    run(schedule=dataclasses.replace(schedule, epochs=2, precision="bfloat16"))
    assert set(seen) == {("blocks", True), ("validation", False)}
