"""What the machine is, from files written by hand."""

from pathlib import Path

import pytest

from kdtasks.orchestrate.processes import free_disk_gb, memory_gb, usable_cores


@pytest.mark.parametrize(("limit", "expected"), [("2000000000\n", 2.0), ("1000\n", 1e-6)])
def test_a_containers_limit_counts(tmp_path: Path, limit: str, expected: float):
    (tmp_path / "memory.max").write_text(limit, encoding="utf-8")
    assert memory_gb(tmp_path / "memory.max") == pytest.approx(expected)


def test_no_limit_is_the_machines_memory(tmp_path: Path):
    (tmp_path / "memory.max").write_text("max\n", encoding="utf-8")
    assert memory_gb(tmp_path / "memory.max") == memory_gb(tmp_path / "none") > 0.1


def test_cores_and_disk(tmp_path: Path):
    assert usable_cores() >= 1
    assert free_disk_gb(tmp_path) > 0
