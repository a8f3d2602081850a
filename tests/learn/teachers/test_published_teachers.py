"""MLPerf Tiny's published networks, where the environment variable KDTASKS_DATA names them."""

import os
from pathlib import Path

import numpy as np
import pytest

DATA = os.environ.get("KDTASKS_DATA")
FOLDER = Path(DATA or "") / "mlperf_tiny"
pytestmark = pytest.mark.skipif(
    DATA is None or not FOLDER.is_dir(), reason="KDTASKS_DATA names no folder with mlperf_tiny"
)


@pytest.mark.parametrize(
    ("name", "accuracy"),
    # On all 10,000 test images they have 91.3 % and 87.2 %.
    [("pretrainedResnet_large_float.tflite", 0.93), ("pretrainedResnet.h5", 0.87)],
)
def test_a_published_network_can_teach(name, accuracy, import_file, description):
    from kdtasks.learn.teachers.teacher import open_teacher

    samples = np.load(FOLDER / "perf_samples_200.npz")
    folder = import_file(
        FOLDER / name, images=samples["x"], labels=samples["y"], num_classes=10, input="auto"
    )
    assert description(folder)["input"] == {"scaling": "byte", "layout": "rgb"}
    assert description(folder)["output"] == "probabilities"
    predicted = open_teacher(folder).logits(samples["x"]).argmax(axis=-1)
    assert np.mean(predicted == samples["y"]) == pytest.approx(accuracy, abs=0.011)
