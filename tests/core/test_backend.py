"""What TensorFlow says of itself while it is loaded."""

import os
import subprocess
import sys

import pytest

from kdtasks.orchestrate.processes import find_gpu

COMPUTE = "from kdtasks.core.backend import tf; print(int(tf.constant(1) + 1))"


def compute(**variables: str) -> "subprocess.CompletedProcess[str]":
    """Add two numbers in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", COMPUTE],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_said_of_a_gpu_that_is_not_there():
    """Even to somebody who asks TensorFlow for all that it has to say."""
    done = compute(TF_CPP_MIN_LOG_LEVEL="0")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "2"
    assert "cuda" not in done.stderr.lower()


def test_nothing_is_said_of_networks_that_run_one_after_another():
    """TensorFlow takes the forward passes of several for one that is compiled again and again."""
    code = (
        "from kdtasks.core.backend import tf\n"
        "def run(n):\n"
        "    @tf.function\n"
        "    def forward(x): return x + n\n"
        "    forward(tf.constant(1))\n"
        "for n in range(12): run(n)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(bool(find_gpu()), reason="a GPU is there")
def test_a_gpu_that_is_asked_for_has_to_be_there():
    done = compute(KDTASKS_DEVICE="gpu")
    assert "ComputeDeviceError: runtime.device is gpu, and TensorFlow sees none" in done.stderr


@pytest.mark.parametrize(
    ("first_without", "told"),
    [
        ((99, 0), "module tensorflow is missing; this needs pip install 'kdtasks[pipeline]'"),
        ((3, 0), "this needs TensorFlow, which there is for Pythons before 3.0, and this is 3."),
    ],
    ids=["not installed", "none for this Python"],
)
def test_without_tensorflow_the_fix_is_named(first_without: tuple[int, int], told: str):
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from kdtasks.core import backend\n"
        f"backend._NO_TENSORFLOW = {first_without}\n"
        "backend.seed_everything(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith(
        f"kdtasks.core.errors.MissingPackageError: {told}"
    )
