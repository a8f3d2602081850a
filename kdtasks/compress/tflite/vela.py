"""Cycles and memory on an Arm Ethos-U, as Arm's compiler Vela estimates them; nothing is run."""

import csv
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from kdtasks.compress.tflite.arena import split_signatures
from kdtasks.core.accelerators import Fallback, TargetSegment
from kdtasks.core.errors import BundleError, explained, shortened

_WARNING = re.compile(
    r"^Warning \(supported operators\) operator: (.+), ofm: '(.*)'\nReason: ((?:.+\n?)+)", re.M
)
_COUNT = re.compile(r"^(CPU|NPU) operators = (\d+)", re.M)


def estimate(content: bytes, accelerator: str) -> dict[str, TargetSegment]:
    """Compile each signature of a `.tflite` for an accelerator: name to what Vela says.

    Args:
        content: of the file.
        accelerator: as Vela calls it, such as `ethos-u55-128`.

    Raises:
        BundleError: Vela is not installed, or does not compile it.
    """
    problem = "module ethosu.vela, which knows Ethos-U, is missing"
    with explained(BundleError, problem, "pip install 'kdtasks[ethos]'", ModuleNotFoundError):
        import ethosu.vela  # noqa: F401
    parts = split_signatures(content)
    return {name: _compile(name, part, accelerator) for name, part in parts.items()}


def _compile(name: str, part: bytes, accelerator: str) -> TargetSegment:
    with TemporaryDirectory() as folder:
        (Path(folder) / "it.tflite").write_bytes(part)
        # a process of its own, since it prints what it finds
        words = [
            "ethosu.vela",
            "it.tflite",
            "--output-dir",
            ".",
            "--accelerator-config",
            accelerator,
        ]
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = shortened((done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2])
            raise BundleError(f"Vela cannot compile {name} ({reason}); compress to int8")
        (table,) = (
            path.read_text(encoding="utf-8") for path in Path(folder).glob("*_summary_*.csv")
        )
    return read_estimate(done.stdout, table)


def read_estimate(printed: str, table: str) -> TargetSegment:
    """Read what Vela printed, and the table of one line that it wrote.

    Raises:
        BundleError: this is no output that is known.
    """
    fallbacks = tuple(
        Fallback(operator, tensor, " ".join(reason.split()))
        for operator, tensor, reason in _WARNING.findall(printed)
    )
    with explained(
        BundleError, "Vela's output is not as known", "install 5.2", KeyError, ValueError
    ):
        counts = {kind: int(number) for kind, number in _COUNT.findall(printed)}
        (row,) = csv.DictReader(table.splitlines())
        sram, dram, on_chip, off_chip = (
            round(float(row[f"{memory}_memory_used"]) * 1024)  # KiB in the table
            for memory in ("sram", "dram", "on_chip_flash", "off_chip_flash")
        )
        clock = f"{float(row['core_clock']) / 1e6:g} MHz"
        system = f"{row['system_config']}, {row['memory_mode']}, {clock}"
        segment = TargetSegment(counts["NPU"], counts["CPU"], fallbacks, system=system)
        if not segment.accelerated:
            return segment
        return replace(
            segment,
            cycles=int(row["cycles_total"]),
            milliseconds=float(row["inference_time"]) * 1e3,
            sram=sram,
            flash=on_chip + off_chip,
            dram=dram,
        )
