"""The live table on a terminal of the test's own."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

# 31 stages: two thirds cached, one running until it is let go, one that fails, one left out
CODE = """
import sys, threading, time
from pathlib import Path
from kdtasks.core.events import ProgressEvent, emit
from kdtasks.orchestrate.runner.graph import StageGraph, StageNode
from kdtasks.orchestrate.processes import stop_signals
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.orchestrate.runner.table import TerminalReporter

graph = StageGraph.of([StageNode(f's{i:02}') for i in range(31)])
nodes = list(graph.nodes.values())
outcomes = {}

def trains(on_line):
    on_line('epoch 1/2  loss 0.5  0:01 left')
    emit(ProgressEvent(1, 2, 'epoch', 1759.0), Path('events/s22.jsonl'))
    print('a warning', file=sys.stderr)
    while not Path('go').exists():
        time.sleep(0.01)
    return Outcome(StageState.COMPLETED, 'fedcba9876', 12.0)

def keep(node, outcome):
    outcomes[node.name] = outcome
    return outcome

with stop_signals() as is_stopping:
    reporter = TerminalReporter(
        workers=3, cores=2, logs=Path('logs'), events=Path('events'), is_stopping=is_stopping)
    with reporter:
        reporter.begin(graph)
        for node in nodes[:20]:
            cached = Outcome(StageState.CACHED, '0123456789')
            keep(node, reporter.perform(node, lambda on_line: cached))
        failure = 'stage s20 ended with status 1', ('out of paper',)
        keep(nodes[20], reporter.perform(
            nodes[20], lambda on_line: Outcome(StageState.FAILED, '', 1.0, *failure)))
        keep(nodes[21], Outcome(StageState.SKIPPED, message='it needs s20'))
        reporter.skip(nodes[21], outcomes['s21'])
        keep(nodes[22], reporter.perform(nodes[22], trains))
        for node in nodes[23:]:
            keep(node, reporter.perform(node, lambda on_line: Outcome(StageState.RESTORED, 'ab')))
        reporter.end(outcomes)
print('after')
"""
FRAME = "\r\x1b[2K"  # before every image but the first: to the start of the table
SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"


class Terminal:
    """A pseudo-terminal with a program in it."""

    def __init__(self, folder: Path, *, columns: int, lines: int, **variables: str) -> None:
        self._screen, keyboard = os.openpty()
        self.resize(columns, lines)
        hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE],
            cwd=folder,
            env={**environment, "TERM": "xterm-256color", **variables},
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
        )
        os.close(keyboard)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until_shown(self) -> str:
        """Read until the table shows the speed of the stage that runs."""
        return self.read_until(
            lambda text: re.search(r"1,759.*and \d+ cached", plain(text), flags=re.DOTALL)
        )

    def read_until(self, is_enough: Callable[[str], object]) -> str:
        text = ""
        while not is_enough(text):
            text += self._read() or pytest.fail(f"it ended early: {text}")
        return text

    def read_all(self) -> str:
        text = ""
        while more := self._read():
            text += more
        self.process.wait(timeout=30)
        os.close(self._screen)
        return text

    def _read(self) -> str:
        try:
            return os.read(self._screen, 65536).decode()
        except OSError:  # the program has ended
            return ""


def plain(text: str) -> str:
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def go_on(folder: Path) -> None:
    (folder / "go").touch()


def test_a_run_on_24_lines(tmp_path: Path):
    terminal = Terminal(tmp_path, columns=80, lines=24)
    live = terminal.read_until_shown()
    go_on(tmp_path)
    rest = terminal.read_all()
    assert terminal.process.returncode == 0

    assert "--workers 3: 2 cores can hold 2 stages of 1 thread" in plain(live).replace("\n", "")
    frames = plain(live).split("of 31 stages")[1:]
    assert max(frame.count("\n") for frame in frames) <= 23
    last = frames[-1]
    assert ", 1 failed" in last
    assert "3 workers on 2 cores" in last
    assert re.search(r"s22\s+running\s+[0-9.]+ s\s+1,759\s+epoch 1/2 loss 0.5", last)
    assert re.search(r"s20\s+failed\s+1.0 s\s+out of paper", last)
    assert re.search(r"and \d+ cached", last)
    assert "a warning\n" in plain(live)  # above the table, not through it

    final = plain(rest.split(FRAME)[-1])
    names = re.findall(r"^(s\d\d) ", final, flags=re.MULTILINE)
    assert names == [f"s{i:02}" for i in range(31)]
    assert re.search(r"s00\s+cached\s+01234567 *\n", final)
    assert re.search(r"s22\s+completed\s+12 s\s+1,759\s+fedcba98 *\n", final)
    assert "stage s20 ended with status 1; its last lines:\n  out of paper\n" in final
    closing = r"31 stages in \d+\.\d s: 20 cached, 8 restored, 1 completed, 1 failed, 1 skipped\n"
    assert re.search(closing + "after\n$", final)
    whole = live + rest
    assert whole.rindex(SHOW) > whole.rindex(HIDE)
    assert "\x1b[1;31m" in whole  # failures are red


def test_no_color(tmp_path: Path):
    terminal = Terminal(tmp_path, columns=80, lines=24, NO_COLOR="1")
    go_on(tmp_path)
    text = terminal.read_all()
    styles = {code for codes in re.findall(r"\x1b\[([0-9;]*)m", text) for code in codes.split(";")}
    assert styles <= {"", "0", "1", "2"}  # bold and dim are no colours


def test_a_terminal_that_gets_narrower_is_drawn_anew(tmp_path: Path):
    """The terminal itself wraps what stands there already, so nothing of it is kept."""
    terminal = Terminal(tmp_path, columns=80, lines=24)
    terminal.read_until_shown()
    terminal.resize(40, 10)
    # the terminal is cleared in one write and the table drawn in the next
    narrow = terminal.read_until(
        lambda text: re.search(r"^22 of 31 stages", plain(text.partition("\x1b[2J")[2]), re.M)
    )
    go_on(tmp_path)
    text = narrow + terminal.read_all()
    tables, _, _ = text[text.index("\x1b[2J") :].partition("stage s20 ended")
    lines = [line for table in tables.split(FRAME) for line in plain(table).splitlines()]
    assert max(map(len, lines)) <= 40
    assert any(line.startswith("22 of 31 stages") for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_gives_the_terminal_back(tmp_path: Path, number: signal.Signals):
    """Even where nobody comes to end the table."""
    terminal = Terminal(tmp_path, columns=80, lines=24)
    text = terminal.read_until_shown()
    terminal.process.send_signal(number)
    text += terminal.read_all()
    assert "KeyboardInterrupt" in text
    assert text.rindex(SHOW) > text.rindex(HIDE)


def test_a_terminal_that_is_closed_does_not_stop_the_run(tmp_path: Path):
    """As under nohup, or where only the terminal's window is gone."""
    terminal = Terminal(tmp_path, columns=80, lines=24)
    terminal.read_until_shown()
    os.close(terminal._screen)
    go_on(tmp_path)
    assert terminal.process.wait(timeout=30) == 0
