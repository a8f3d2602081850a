import dataclasses
import shutil
import subprocess

import pytest

from kdtasks.compress.bundle.pack import exits_header
from kdtasks.compress.tflite.graph import Graph, Tensor
from tests.compress.bundle.test_schema import MANIFEST

IMAGE = Tensor("image", (1, 8, 8, 1), "int8", 1.0, -128, 1, 64, None)
LOGITS = Tensor("logits", (1, 2), "int8", 0.1, 3, 1, 2, None)
GRAPHS = [
    Graph("segment_0", {"image": 0}, {"logits": 1}, (), (IMAGE, LOGITS)),
    Graph("segment_1", {"features_0": 0}, {"logits": 1}, (), (IMAGE, LOGITS)),
]

PROGRAM = """
#include <stdio.h>
#include "exits.h"
int main(void) {
  printf("%d %d %d %s %.9g %d %.9g %.9g %.3g", KDTASKS_EXITS, KDTASKS_CLASSES,
         KDTASKS_IMAGE_ZERO_POINT, kdtasks_class_names[1], kdtasks_logits_scales[1],
         kdtasks_logits_zero_points[0], kdtasks_temperatures[0], KDTASKS_IMAGE_SCALE,
         kdtasks_thresholds[0]);
  return KDTASKS_SCORE_MARGIN - 1;
}
"""


def test_c_reads_what_python_wrote(tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("there is no gcc here")
    manifest = dataclasses.replace(MANIFEST, class_names=("a", 'größe "3"?\\'))
    (tmp_path / "exits.h").write_text(exits_header(manifest, GRAPHS), encoding="utf-8")
    (tmp_path / "it.c").write_text(PROGRAM)
    program = str(tmp_path / "it")
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", program, str(tmp_path / "it.c")], check=True)
    told = subprocess.run([program], check=True, capture_output=True).stdout.decode()
    # A threshold of 1e300, which is never reached, is as far as float goes.
    assert told == '2 2 -128 größe "3"?\\ 0.100000001 3 1.5 1 3e+38'


def test_one_exit_has_no_threshold():
    one = dataclasses.replace(MANIFEST, segments=1, temperatures=(1.0,), thresholds=(), macs=(1,))
    header = exits_header(one, GRAPHS[:1])
    assert "kdtasks_thresholds[1] = {0.0f}" in header
    assert "#define KDTASKS_EXITS 1" in header


def test_a_name_stays_inside_its_comment():
    name = "evil\n#include <stdio.h>"
    header = exits_header(dataclasses.replace(MANIFEST, name=name), GRAPHS)
    assert "\n#include" not in header
