import pytest

from kdtasks.deploy.store.catalogue import Collected
from kdtasks.deploy.store.describe import collected_lines, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (24_060, "24.1 kB"),
        (5_000_000, "5.0 MB"),
        (1_234_567_890_123, "1,234.6 GB"),
    ],
)
def test_sizes(count: int, text: str):
    assert size(count) == text


def test_what_gc_says():
    collected = Collected([("digits", 1)], blobs=2, bytes=3000, leftovers=1)
    assert collected_lines(collected, is_dry=False) == (
        "deleted digits version 1\ndeleted 1 versions, 2 contents of 3.0 kB, 1 broken-off uploads"
    )
