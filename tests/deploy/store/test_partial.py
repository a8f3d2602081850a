import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdtasks.deploy.store import transfer as module
from kdtasks.deploy.store.transfer import open_partial


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PART_BYTES", 10)


def test_parts_are_filled_in_any_order(tmp_path: Path):
    path, data = tmp_path / "partial", b"0123456789abcdefghijKLMNO"
    with open_partial(path, len(data)) as partial:
        assert partial is not None
        assert partial.parts == 3
        assert [partial.missing(index) for index in range(3)] == [(0, 10), (10, 10), (20, 5)]
        partial.append(2, data[20:25])
        partial.append(0, data[:4])
        partial.append(0, data[4:10])
        partial.append(1, data[10:20])
        assert [partial.missing(index)[1] for index in range(3)] == [0, 0, 0]
        assert partial.sha256() == hashlib.sha256(data).hexdigest()
        partial.finish()
    assert path.read_bytes() == data


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_parts_are_hashed_as_they_arrive(tmp_path: Path, order: tuple[int, ...]):
    """A part is there when its number comes, and not before."""
    data = b"0123456789abcdefghijKLMNO"
    with open_partial(tmp_path / "partial", len(data)) as partial:
        assert partial is not None

        def arrive() -> Iterator[int]:
            for index in order:
                partial.append(index, data[index * 10 : index * 10 + 10])
                yield index

        assert partial.sha256(arrive()) == hashlib.sha256(data).hexdigest()
        assert partial.sha256(iter([0, 2])) != hashlib.sha256(data).hexdigest()


def test_it_goes_on_where_it_stopped(tmp_path: Path):
    path = tmp_path / "partial"
    with open_partial(path, 25) as partial:
        assert partial is not None
        partial.append(0, b"0123")
        partial.append(2, b"KLMNO")
    with open_partial(path, 25) as partial:
        assert partial is not None
        assert [partial.missing(index) for index in range(3)] == [(4, 6), (10, 10), (25, 0)]


def test_it_starts_again_for_another_size(tmp_path: Path):
    path = tmp_path / "partial"
    with open_partial(path, 25) as partial:
        assert partial is not None
        partial.append(0, b"0123")
    with open_partial(path, 24) as partial:
        assert partial is not None
        assert partial.missing(0) == (0, 10)


def test_killed_between_finishing_and_renaming(tmp_path: Path):
    path, data = tmp_path / "partial", b"0123456789abc"
    path.write_bytes(data)
    with open_partial(path, len(data)) as partial:
        assert partial is not None
        assert [partial.missing(index)[1] for index in range(2)] == [0, 0]
        assert partial.sha256() == hashlib.sha256(data).hexdigest()
        partial.clear()
        assert partial.missing(1) == (10, 3)


def test_counters_beyond_a_part_are_not_believed(tmp_path: Path):
    path = tmp_path / "partial"
    path.write_bytes(b"x" * 13 + b"\xff" * 16)
    with open_partial(path, 13) as partial:
        assert partial is not None
        assert [partial.missing(index) for index in range(2)] == [(10, 0), (13, 0)]


def test_nothing_has_no_parts(tmp_path: Path):
    with open_partial(tmp_path / "partial", 0) as partial:
        assert partial is not None
        assert partial.parts == 0
        assert partial.sha256() == hashlib.sha256(b"").hexdigest()


def test_one_at_a_time_and_the_second_sees_that_it_is_finished(tmp_path: Path):
    path = tmp_path / "partial"
    seen: list[bool] = []

    def second() -> None:
        with open_partial(path, 5) as partial:
            seen.append(partial is None)

    with open_partial(path, 5) as partial:
        assert partial is not None
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        path.rename(tmp_path / "finished")
    thread.join(60)
    assert seen == [True]
