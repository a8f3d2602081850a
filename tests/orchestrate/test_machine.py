"""What the machine is, from files written by hand."""

import sys
from pathlib import Path

import pytest

from kdtasks.orchestrate import processes
from kdtasks.orchestrate.processes import find_gpu, free_disk_gb, memory_gb, usable_cores, why_cold


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


def test_where_forking_is_not_safe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(processes, "_GPUS", (tmp_path / "gpu",))
    monkeypatch.setattr(sys, "platform", "linux")
    assert why_cold() is None
    (tmp_path / "gpu").touch()
    assert (
        why_cold() == f"there is a GPU ({tmp_path / 'gpu'}), whose driver does not survive a fork"
    )
    monkeypatch.setattr(sys, "platform", "darwin")
    assert why_cold() == "forking is not safe on darwin"


@pytest.mark.parametrize("driver", ["/dev/nvidiactl", "/dev/kfd", "/dev/dxg"])
def test_a_gpu_is_found_by_its_driver(monkeypatch: pytest.MonkeyPatch, driver: str):
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == driver)
    assert find_gpu() == Path(driver)
