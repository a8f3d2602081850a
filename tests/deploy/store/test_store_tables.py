from kdtasks.deploy.store.catalogue import CollectResult
from kdtasks.deploy.store.describe import collected_lines


def test_what_gc_says():
    collected = CollectResult([("digits", 1)], blobs=2, bytes=3000, leftovers=1)
    assert collected_lines(collected, is_dry=False) == (
        "deleted digits version 1\ndeleted 1 version, 2 contents of 3.0 kB, 1 interrupted upload"
    )
