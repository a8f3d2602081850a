"""Does LiteRT on ARM64 answer as here? Its wheel for ARM64, run by qemu: answers, not times.

    python -m benchmarks.arm_answers [FILE.tflite ...] [--out results/arm-answers.json]

Needs apt-get: qemu and an ARM64 Python are downloaded and unpacked (250 MB below `build/`), not
installed. Images are random. Without arguments the files in `results/` are run.
"""

import argparse
import io
import json
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from kdtasks.core.files import write_json
from kdtasks.evaluate.devices.wheels import Platform, download, requirements

FILES = [f"results/{name}/int8.tflite" for name in ("mlperf-tiny", "brevis-alexnet", "unet-aerial")]
IMAGES = 50
PYTHON = "3.11"  # Debian 12's, whose glibc is 2.36
FOLDER = Path("build/arm64").absolute()
# LiteRT reads how many processors there are, and of which kind. qemu looks here before the host's.
MACHINE = {
    "proc/cpuinfo": "processor: 0\nFeatures: fp asimd aes crc32\nCPU implementer: 0x41\n"
    "CPU architecture: 8\nCPU variant: 0x0\nCPU part: 0xd08\nCPU revision: 3\n",
    **{f"sys/devices/system/cpu/{name}": "0\n" for name in ("possible", "present", "online")},
}
PROGRAM = "import sys; from benchmarks.arm_answers import answer; answer(sys.argv[1:])"


def main() -> None:
    """Print what differs, and as the last line one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", default=FILES, metavar="FILE.tflite")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    emulator = prepare()
    command = [*emulator, "-c", PROGRAM, *options.files]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = {"packages": requirements(), "images": IMAGES, "files": {}}
    with np.load(io.BytesIO(done.stdout)) as there:
        for file, arm in zip(options.files, there.values(), strict=True):
            here = logits_of(file)
            figures["files"][file] = {
                "logits": here.size,
                "differing": int((here != arm).sum()),
                "largest_difference": float(np.abs(here - arm).max()),
                "largest_logit": float(np.abs(here).max()),
            }
            print(f"{file}: {figures['files'][file]}")
    if options.out:
        write_json(options.out, figures)
    print(json.dumps(figures))


def answer(files: Sequence[str]) -> None:
    """Write the logits of files to standard output, as an archive of arrays in their order."""
    import sys

    assert platform.machine() == "aarch64"
    np.savez(sys.stdout.buffer, *map(logits_of, files))


def logits_of(file: str) -> np.ndarray:
    """Float32 [images, exits, …], of the same random images everywhere."""
    from kdtasks.edge.segments import Segments

    segments = Segments(Path(file).read_bytes())
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (IMAGES, *segments.input_shape), np.uint8)
    return segments.logits_of(images)


def prepare() -> list[str]:
    """Unpack what runs ARM64 programs; gives the words of its Python's command."""
    native, root, site = (FOLDER / name for name in ("native", "root", "site"))
    python, qemu = root / "usr/bin" / f"python{PYTHON}", native / "usr/bin/qemu-aarch64-static"
    if not site.is_dir():
        unpack(["qemu-user-static"], native, ())
        lists = FOLDER / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        settings = {
            "APT::Architecture": "arm64",
            "APT::Architectures": "arm64",
            "APT::Sandbox::User": "",
            "Dir::State::Lists": str(lists),
            "Dir::State::status": "/dev/null",
            "Dir::Cache": str(FOLDER),
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        subprocess.run(["apt-get", "-q", *options, "update"], check=True)
        wanted = [f"python{PYTHON}", "libstdc++6"]
        simulate = ["install", "--simulate", "--no-install-recommends", *wanted]
        plan = subprocess.run(
            ["apt-get", "-q", *options, *simulate], check=True, capture_output=True, text=True
        )
        unpack(re.findall(r"^Inst (\S+)", plan.stdout, re.MULTILINE), root, options)
        for name, content in MACHINE.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        wheels = FOLDER / "wheels"
        download(Platform(PYTHON, "aarch64", glibc=36, bits=64), wheels)
        for wheel in wheels.iterdir():
            with ZipFile(wheel) as archive:
                archive.extractall(site)
    paths = f"PYTHONPATH={site}:{Path.cwd()}"
    return [str(qemu), "-cpu", "cortex-a72", "-L", str(root), "-E", paths, str(python)]


def unpack(names: Sequence[str], folder: Path, options: Sequence[str]) -> None:
    """Download Debian's packages and unpack them into a folder."""
    packages = folder.with_name(f"{folder.name}-packages")
    packages.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-q", *options, "download", *names], cwd=packages, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)


if __name__ == "__main__":
    main()
