"""An audit is one only if every package was looked up."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.audit import audit

CLEAN: dict[str, Any] = {"name": "numpy", "version": "2.0", "vulns": []}
UNKNOWN = {"name": "Zc.Lockfile", "skip_reason": "not found on PyPI"}
FAULTY = {"name": "zc-lockfile", "version": "4.0", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages, and one for other systems; no `pip-audit` on the path."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=None)
    file = tmp_path / "pinned.txt"
    file.write_text("# tested\nnumpy==2.0\nzc.lockfile==4.0\ncolorama==1; sys_platform == 'none'\n")
    return file


def answer(folder: Path, text: str) -> None:
    """Make `pip-audit` a command that writes a text, if it is asked for the pinned packages."""
    command = folder / "pip-audit"
    command.write_text(
        f'#!/bin/sh\n[ "$1" = "--requirement={folder}/pinned.txt" ] || exit 9\n'
        f"echo 'no way there' >&2\n/bin/cat <<'END'\n{text}\nEND\n"
    )
    command.chmod(0o755)


@pytest.mark.parametrize(
    ("report", "status", "lines"),
    [
        ([CLEAN, FAULTY | {"vulns": []}], 0, ["2 packages: no vulnerability is known"]),
        ([CLEAN, FAULTY], 1, ["zc-lockfile 4.0: CVE-1", "zc-lockfile 4.0: CVE-2"]),
        ([CLEAN, UNKNOWN], 1, ["zc-lockfile: could not be looked up"]),
        ([CLEAN], 1, ["zc-lockfile: could not be looked up"]),
        (
            [CLEAN | {"skip_reason": "x"}, UNKNOWN],
            2,
            ["not audited: pip-audit could look up none of 2 packages"],
        ),
    ],
)
def test_every_package_counts(
    report: list[Any], status: int, lines: list[str], pinned: Path, tmp_path: Path
):
    answer(tmp_path, json.dumps({"dependencies": report, "fixes": []}))
    assert audit(pinned) == (status, lines)


def test_no_audit_is_called_that(pinned: Path, tmp_path: Path):
    assert audit(pinned) == (2, ["not audited: pip-audit was not found; `pip install pip-audit`"])
    answer(tmp_path, "")
    assert audit(pinned) == (2, ["not audited: pip-audit gave no report (no way there)"])
