"""LiteRT opens and answers without a line about itself, and its complaints are heard."""

import subprocess
import sys
from pathlib import Path

import pytest

from kdtasks.edge.interpreter import open_interpreter

MODEL = Path(__file__).parents[2] / "results" / "mlperf-tiny" / "int8.tflite"

ANSWER = """
import sys
from pathlib import Path
import numpy as np
from kdtasks.edge.segments import Segments
segments = Segments(Path(sys.argv[1]))
print(segments.logits(np.zeros(segments.input_shape, np.uint8)).shape)
"""


def test_nothing_stands_on_standard_error():
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, MODEL], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(2, 10)\n"
    assert done.stderr == ""


def test_what_is_no_model_is_an_error():
    with pytest.raises(ValueError, match="model"):
        open_interpreter(b"no model at all")
