from pathlib import Path

import pytest

from kdtasks.core.errors import KdTasksError
from kdtasks.deploy.gate.gate import find_candidate
from tests.tools.records import write_selection


def test_the_chosen_variant_is_the_candidate(tmp_path: Path):
    write_selection(tmp_path, "int8", "the smallest")
    assert find_candidate(tmp_path) == (tmp_path / "bundles" / "int8", "the smallest")


def test_no_variant_within_the_limits(tmp_path: Path):
    write_selection(tmp_path, None, "all too large")
    assert find_candidate(tmp_path) == (None, "all too large")


def test_a_project_that_has_not_run(tmp_path: Path):
    with pytest.raises(KdTasksError, match=r"selection\.json not found; run `dvc repro`"):
        find_candidate(tmp_path)
