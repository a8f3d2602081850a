"""The processor of this machine: its name, and the features that decide results and speed."""

import platform
from pathlib import Path
from typing import NamedTuple

# what oneDNN and XNNPACK choose their kernels by
FEATURES = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16"),  # of x86
    *("asimd", "asimddp"),  # of ARM
)

_BFLOAT16 = {"amx_bf16", "avx512_bf16"}


class Processor(NamedTuple):
    """A processor's name and those of its features that decide results and speed.

    `quick_bfloat16`: whether it multiplies numbers of 16 bits as oneDNN takes them.
    """

    name: str
    features: tuple[str, ...]
    quick_bfloat16: bool = False

    @property
    def kind(self) -> str:
        """What of it results depend on to the bit."""
        return f"{platform.machine()} ({', '.join(self.features) or 'no features listed'})"


def read_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """The processor of this machine; without /proc its name alone."""
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    return parse_cpuinfo(text, otherwise=platform.processor() or platform.machine())


def parse_cpuinfo(text: str, otherwise: str = "unknown") -> Processor:
    """Read the first processor of /proc/cpuinfo, x86 (`flags`) or ARM (`Features`)."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return Processor(
        # ARM has no name of the processor, a Raspberry Pi one of the board
        fields.get("model name") or fields.get("Model") or otherwise,
        tuple(f for f in FEATURES if f in flags),
        bool(flags & _BFLOAT16),
    )
