"""The commands of docs/tutorial.md do what it says, on small photos."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.colour_photos import write_photos, write_teacher

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for block in BLOCKS for line in block.splitlines() if line.startswith(("kdtasks ", "cd "))
]
# Nearly all of the time is the stages' starts: one variant halves it.
QUICK = {
    "seeds": "[0]",
    "  epochs": "3",
    "  variants": "[int8]",
    "  bootstrap_samples": "200",
    "  rounds": "1",
}


def test_its_commands_lead_from_photos_to_a_bundle(tmp_path: Path):
    write_photos(tmp_path / "photos")
    write_teacher(tmp_path / "big.keras")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    folder, told = tmp_path, {}
    for command in COMMANDS:
        program, *words = shlex.split(command)
        if program == "cd":
            folder = folder / words[0]
            params = folder / "params.yaml"  # as it says for a quick first run, and less
            text = params.read_text("utf-8")
            for key, less in QUICK.items():
                old = "80" if key == "  epochs" else ".*"
                text, count = re.subn(rf"(?m)^{key}: {old}$", f"{key}: {less}", text)
                assert count == 1, key
            params.write_text(text, encoding="utf-8")
            continue
        done = subprocess.run(
            [sys.executable, "-m", "kdtasks", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        told[words[0]] = done.stdout
    assert list(told) == ["init", "run", "predict", "pack", "upgrade"]
    assert (
        told["init"].splitlines()[0] == "3 classes (blue, green, red), 90 images, 24 to 26 pixels"
    )
    assert told["init"].splitlines()[1] == "layout: one folder a class"
    assert "right" in told["init"].splitlines()[2]
    assert (folder / "report" / "index.html").is_file()
    assert (folder / "flowers.kdz").is_file()
    assert "green" in told["predict"]
    assert "no stage that has run will run again" in told["upgrade"]
