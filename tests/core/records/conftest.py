"""What tests of records share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.files import write_json
from kdtasks.core.records import Record

RoundTrip = Callable[[type[Record], dict[str, Any]], Any]


@pytest.fixture
def round_trip(tmp_path: Path) -> RoundTrip:
    """Read content as a record of a kind; writing it again must give the same bytes."""

    def read(kind: type[Record], content: dict[str, Any]) -> Record:
        first, second = tmp_path / "first.json", tmp_path / "second.json"
        write_json(first, content)
        record = kind.read(first)
        record.write(second)
        assert second.read_bytes() == first.read_bytes()
        return record

    return read
