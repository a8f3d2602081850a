"""How large the parts of an upload are."""

import math

import pytest

from kdtasks.deploy.store.bucket import part_bytes_of


@pytest.mark.parametrize(
    ("megabytes", "part"),
    [(9, 8), (255, 8), (256, 16), (500, 16), (150_000, 16), (500_000, 50)],
)
def test_large_files_have_large_parts(megabytes: int, part: int):
    assert part_bytes_of(megabytes << 20) >> 20 == part


@pytest.mark.parametrize("size", [1, 10_000 * (16 << 20) + 1, 5 << 40])
def test_no_more_parts_than_s3_takes(size: int):
    assert math.ceil(size / part_bytes_of(size)) <= 10_000
