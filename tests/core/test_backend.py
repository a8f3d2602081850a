"""What TensorFlow says of itself while it is loaded."""

import os
import subprocess
import sys

import pytest

from kdtasks.orchestrate.processes import find_gpu

COMPUTE = "from kdtasks.core.backend import tf; print(int(tf.constant(1) + 1))"


def test_nothing_is_said_of_a_gpu_that_is_not_there():
    """Even to somebody who asks TensorFlow for all that it has to say."""
    done = subprocess.run(
        [sys.executable, "-c", COMPUTE],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "2"
    assert "cuda" not in done.stderr.lower()


@pytest.mark.skipif(bool(find_gpu()), reason="a GPU is there")
def test_a_gpu_that_is_asked_for_has_to_be_there():
    done = subprocess.run(
        [sys.executable, "-c", COMPUTE],
        env={**os.environ, "KDTASKS_DEVICE": "gpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ComputeDeviceError: runtime.device is gpu, and TensorFlow sees none" in done.stderr
