"""What this machine has: cores, memory, disk."""

import os
import shutil
from pathlib import Path

GIGABYTE = 1e9


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_gb(limit_file: Path = Path("/sys/fs/cgroup/memory.max")) -> float:
    """Memory of this machine in GB (1e9 bytes), or the container's limit where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = limit_file.read_text(encoding="utf-8").strip() if limit_file.is_file() else "max"
    return min(total, int(limit) if limit.isdigit() else total) / GIGABYTE


def free_disk_gb(folder: Path) -> float:
    """Free space of the folder's file system in GB (1e9 bytes)."""
    return shutil.disk_usage(folder).free / GIGABYTE
