"""The processor, from files written by hand."""

from pathlib import Path

import pytest

from kdtasks.core.processor import Processor, parse_cpuinfo, read_processor

X86 = """\
processor\t: 0
model name\t: Intel(R) Xeon(R)
flags\t\t: fpu avx avx2 avx512f avx512_vnni amx_int8

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


def test_x86():
    assert parse_cpuinfo(X86) == Processor(
        "Intel(R) Xeon(R)", ("avx2", "avx512f", "avx512_vnni", "amx_int8")
    )


def test_arm_has_no_model_name():
    text = "processor\t: 0\nFeatures\t: fp asimd asimddp\n"
    assert parse_cpuinfo(text, otherwise="aarch64") == Processor("aarch64", ("asimd", "asimddp"))


@pytest.mark.parametrize(
    ("flags", "quick"), [("avx512f amx_int8", False), ("avx512_bf16", True), ("amx_bf16", True)]
)
def test_a_processor_is_quick_at_bfloat16_where_it_multiplies_such_numbers(flags, quick):
    assert parse_cpuinfo(f"flags\t: {flags}\n").quick_bfloat16 is quick


def test_without_proc(tmp_path: Path):
    assert read_processor(tmp_path / "none").features == ()
    assert read_processor(tmp_path / "none").name


def test_kinds_differ_by_features_alone():
    first, second = (Processor(name, ("avx2", "avx512f")) for name in ("Intel", "AMD"))
    assert first.kind == second.kind
    assert first.kind.endswith(" (avx2, avx512f)")
    assert Processor("Intel", ()).kind.endswith(" (no features listed)")
