"""Standard output that may go away, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import pathlib, sys
from kdtasks.orchestrate.runner.lines import LineOutput
output = LineOutput()
output.print('first')
sys.stdin.readline()  # until the reader is gone
for number in range(3):
    output.print(f'line {number}')
print('printed')
pathlib.Path(sys.argv[1]).write_text('through')
"""


def test_a_reader_that_goes_away_is_not_missed(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(tmp_path / "done")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "first\n"
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate("\n", timeout=30)
    assert process.returncode == 0, errors
    assert "BrokenPipe" not in errors
    assert (tmp_path / "done").read_text(encoding="utf-8") == "through"


def test_a_full_disk_is_not_taken_for_a_reader_that_went_away(tmp_path: Path):
    code = "from kdtasks.orchestrate.runner.lines import LineOutput; LineOutput().print('lost')"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


def test_characters_that_the_terminal_lacks_become_question_marks():
    code = (
        "from kdtasks.orchestrate.runner.lines import LineOutput\n"
        "LineOutput().print('50 µs, 3 × 2')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "50 ?s, 3 ? 2\n"
