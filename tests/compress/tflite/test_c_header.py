import dataclasses
import shutil
import subprocess

import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator

from kdtasks.compress.tflite.arena import Arena
from kdtasks.compress.tflite.c_header import _adds, exits_header
from kdtasks.compress.tflite.graph import Graph, Operator, Tensor
from kdtasks.core.errors import BundleError
from tests.compress.bundle.test_schema import MANIFEST

IMAGE = Tensor("image", (1, 8, 8, 1), "int8", 1.0, -128, 1, 64, None)
LOGITS = Tensor("logits", (1, 2), "int8", 0.1, 3, 1, 2, None)
PAD = Operator("PADV2", (0,), (2,), 0, 0)
GRAPHS = [
    Graph(
        "segment_0", {"image": 0}, {"kept": 0, "logits": 1, "lost": 0}, (PAD, PAD), (IMAGE, LOGITS)
    ),
    Graph("segment_1", {"kept": 0, "image": 0}, {"logits": 1}, (), (IMAGE, LOGITS)),
]
ARENAS = {"segment_0": Arena(9, 1008, 5, 5), "segment_1": Arena(9, 2000, 5, 5)}
# What adds built-in operators in tensorflow/lite/micro/micro_mutable_op_resolver.h.
METHODS = """
Abs Add AddN ArgMax ArgMin AssignVariable AveragePool2D BatchMatMul BatchToSpaceNd BroadcastArgs
BroadcastTo CallOnce Cast Ceil Concatenation Conv2D Cos CumSum DepthToSpace DepthwiseConv2D
Dequantize Div DynamicUpdateSlice Elu EmbeddingLookup Equal Exp ExpandDims Fill Floor FloorDiv
FloorMod FullyConnected Gather GatherNd Greater GreaterEqual HardSwish If L2Normalization L2Pool2D
LeakyRelu Less LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr Logistic MaxPool2D Maximum
Mean Minimum MirrorPad Mul Neg NotEqual Pack Pad PadV2 Prelu Quantize ReadVariable ReduceAll
ReduceMax ReduceMin Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt
SelectV2 Shape Sin Slice Softmax SpaceToBatchNd SpaceToDepth Split SplitV Sqrt Square
SquaredDifference Squeeze StridedSlice Sub Sum Svdf Tanh Transpose TransposeConv
UnidirectionalSequenceLSTM Unpack VarHandle While ZerosLike
"""


def test_operators_are_added_by_the_resolver_s_methods():
    methods = {name.upper(): f"Add{name}" for name in METHODS.split()}
    known = {name.replace("_", ""): name for name in vars(BuiltinOperator) if name.isupper()}
    assert {plain: _adds(known[plain]) for plain in methods} == methods


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


@pytest.mark.parametrize("arenas", [ARENAS, None])
def test_c_reads_what_python_wrote(arenas, tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("there is no gcc here")
    manifest = dataclasses.replace(MANIFEST, class_names=("a", 'größe "3"?\\'))
    (tmp_path / "exits.h").write_text(exits_header(manifest, GRAPHS, arenas), encoding="utf-8")
    (tmp_path / "it.c").write_text(PROGRAM)
    program = str(tmp_path / "it")
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", program, str(tmp_path / "it.c")], check=True)
    told = subprocess.run([program], check=True, capture_output=True).stdout.decode()
    # A threshold of 1e300, which is never reached, is as far as float goes.
    assert told == '2 2 -128 größe "3"?\\ 0.100000001 3 1.5 1 3e+38'


def test_one_exit_has_no_threshold():
    one = dataclasses.replace(MANIFEST, segments=1, temperatures=(1.0,), thresholds=(), macs=(1,))
    header = exits_header(one, GRAPHS[:1], ARENAS)
    assert "kdtasks_thresholds[1] = {0.0f}" in header
    assert "#define KDTASKS_EXITS 1" in header


def test_a_name_stays_inside_its_comment():
    name = "evil\n#include <stdio.h>"
    header = exits_header(dataclasses.replace(MANIFEST, name=name), GRAPHS, ARENAS)
    assert "\n#include <stdio.h>" not in header


def test_features_have_places_and_operators_their_methods():
    header = exits_header(MANIFEST, GRAPHS, ARENAS)
    assert "kdtasks_arena_bytes[2] = {1008, 2000};" in header
    assert "#define KDTASKS_ARENA_BYTES 2000 " in header
    assert "#define KDTASKS_FEATURE_BYTES 64\n" in header
    assert "kdtasks_inputs[2][2] = {{-1}, {0, -1}};" in header
    assert "kdtasks_outputs[2][3] = {{0, -1, -2}, {-1}};" in header
    assert "#define KDTASKS_OPERATORS 1\n" in header
    assert "(resolver).AddPadV2();" in header


def test_images_of_16_bits_are_explained():
    deep = dataclasses.replace(MANIFEST, input={**MANIFEST.input, "deep_range": [100, 4095]})
    header = exits_header(deep, GRAPHS, ARENAS)
    assert "\n// Of 16 bits a channel, 100 becomes 0 and 4095 255.\n" in header


def test_exits_with_other_numbers_are_refused():
    mixed = GRAPHS[1]._replace(tensors=(IMAGE, LOGITS._replace(dtype="float32")))
    with pytest.raises(BundleError, match=r"logits is float32 and int8; one of int8, .* expected"):
        exits_header(MANIFEST, [GRAPHS[0], mixed], ARENAS)
