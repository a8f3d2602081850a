"""Compiled functions where networks are tested."""

from collections.abc import Iterator

import pytest

from kdtasks.compress.convert import unfused


@pytest.fixture(scope="module", autouse=True)
def unoptimized_graphs() -> Iterator[None]:
    """Run functions as they were traced: to rewrite one takes longer than a test's few steps.

    Stages have theirs rewritten, in tests too, and a file of tests may define this fixture anew.
    """
    with unfused():
        yield
