"""What tables and Vela say of accelerators."""

import sys

import pytest

from kdtasks.compress.tflite.accelerators import COVERAGE, covered
from kdtasks.compress.tflite.graph import _OPERATORS, Graph, Operator, Tensor, read_graphs
from kdtasks.compress.tflite.vela import estimate, read_estimate
from kdtasks.core.accelerators import Fallback, TargetSegment
from kdtasks.core.errors import BundleError

# As version 5.2.0 prints it.
TOLD = """
Warning: No memory mode specified. Using a default of Shared_Sram. Compilation may be invalid.

Warning (supported operators) operator: AVERAGE_POOL_2D, ofm: 'exit_0_pool'
Reason: Unsupported kernel stride: 4, 4
Stride>3 is only supported IF (dilation = 1 AND padding = VALID)

Network summary for it
CPU operators = 1 (33.3%)
NPU operators = 2 (66.7%)
"""
TABLE = """\
system_config,memory_mode,core_clock,inference_time,sram_memory_used,dram_memory_used,\
on_chip_flash_memory_used,off_chip_flash_memory_used,cycles_total
Deep,Sram_Only,200000000.0,0.25,2.515625,0.0,0.5,1.734375,3000
"""


def graph_of(name: str, dtype: str) -> Graph:
    """One operator on a computed tensor and a constant of whole numbers."""
    computed = Tensor("x", (1, 4), dtype, None, 0, 0, 4, None)
    constant = Tensor("shape", (2,), "int32", None, 0, 0, 8, 7)
    made = computed._replace(name="y")
    operators = (Operator(name, (0, 1, -1), (2,), 0, 8),)
    return Graph("segment_0", {"x": 0}, {"y": 2}, operators, (computed, constant, made))


@pytest.mark.parametrize(
    ("target", "name", "dtype", "reason"),
    [
        ("edgetpu", "RESHAPE", "int8", None),
        ("edgetpu", "RESHAPE", "float32", "float32, where int8 or uint8 is taken"),
        ("edgetpu", "LEAKY_RELU", "int8", "not in the table"),
        ("nnapi", "LEAKY_RELU", "int8", None),
        ("nnapi", "RESHAPE", "float32", None),
        ("nnapi", "RESHAPE", "int16", "int16, where float32 or int8 or uint8 is taken"),
        ("nnapi", "EXP", "float32", None),
        ("nnapi", "EXP", "int8", "int8, where float32 is taken"),
        ("nnapi", "CUMSUM", "float32", "not in the table"),
    ],
)
def test_a_table_tells_what_is_left(target, name, dtype, reason):
    found = covered(graph_of(name, dtype), COVERAGE[target])
    fallbacks = () if reason is None else (Fallback(name, "y", reason),)
    assert found == TargetSegment(1 - len(fallbacks), len(fallbacks), fallbacks)


@pytest.mark.parametrize("target", COVERAGE)
def test_tables_name_operators_of_litert(target):
    assert COVERAGE[target].operators <= set(_OPERATORS.values())


def test_velas_words_are_read():
    reason = (
        "Unsupported kernel stride: 4, 4 Stride>3 is only supported IF (dilation = 1 AND padding "
        "= VALID)"
    )
    told = (Fallback("AVERAGE_POOL_2D", "exit_0_pool", reason),)
    memories = (2576, 512 + 1776, 0)
    system = "Deep, Sram_Only, 200 MHz"
    assert read_estimate(TOLD, TABLE) == TargetSegment(2, 1, told, 3000, 250.0, *memories, system)
    nothing = read_estimate(TOLD.replace("NPU operators = 2", "NPU operators = 0"), TABLE)
    assert nothing == TargetSegment(0, 1, told, system=system)
    with pytest.raises(BundleError, match=r"Vela's output is not as known \('NPU'\); install 5\.2"):
        read_estimate("", TABLE)


def test_vela_estimates_every_segment(int8_content):
    pytest.importorskip("ethosu.vela", reason="pip install 'kdtasks[ethos]'")
    found = estimate(int8_content, "ethos-u55-128")
    assert list(found) == ["segment_0", "segment_1"]
    for graph in read_graphs(int8_content):
        one = found[graph.signature]
        assert one.cycles is not None
        assert one.sram is not None
        # 128 multiply-accumulates a cycle at most, and what is left stands in a sentence each
        assert one.cycles >= graph.macs / 128
        assert one.sram >= graph.tensors[next(iter(graph.inputs.values()))].bytes
        assert one.left == len(one.fallbacks)
        assert one.accelerated + one.left >= 1


def test_what_vela_cannot_compile_is_said(int8_content, monkeypatch):
    pytest.importorskip("ethosu.vela", reason="pip install 'kdtasks[ethos]'")
    monkeypatch.setattr(
        "kdtasks.compress.tflite.vela.split_signatures", lambda content: {"segment_0": b"broken"}
    )
    with pytest.raises(
        BundleError, match=r"Vela cannot compile segment_0 \(.+\); compress to int8"
    ):
        estimate(int8_content, "ethos-u55-128")


def test_without_vela_the_package_is_named(int8_content, monkeypatch):
    monkeypatch.setitem(sys.modules, "ethosu.vela", None)
    message = r"ethosu\.vela, which knows Ethos-U, is missing.* pip install 'kdtasks\[ethos\]'"
    with pytest.raises(BundleError, match=message):
        estimate(int8_content, "ethos-u55-128")
