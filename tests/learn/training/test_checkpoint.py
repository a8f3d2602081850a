"""Checkpoints: whole and of the same run, or not there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdtasks.learn.training import checkpoint as checkpoint_module
from kdtasks.learn.training.checkpoint import Checkpoint, TrainingState, files_hash

PROGRESS = TrainingState(
    epoch=4,
    arrays=[
        np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
        np.array(40, np.int64),
        np.zeros((0, 3), np.float32),
        np.array([1.5], np.float16),
    ],
    history=[{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1e-17}],
    collapsed_epochs=2,
)
SETTINGS = ["student/0", {"epochs": 30, "alpha": 0.1}]


def test_what_is_saved_is_loaded(tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "deep" / "run.npz", settings=SETTINGS)
    checkpoint.save(PROGRESS)
    loaded = Checkpoint(tmp_path / "deep" / "run.npz", settings=SETTINGS).load()
    assert loaded is not None
    assert (loaded.epoch, loaded.history) == (PROGRESS.epoch, PROGRESS.history)
    assert loaded.collapsed_epochs == 2
    for one, other in zip(loaded.arrays, PROGRESS.arrays, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


def test_many_arrays_keep_their_order(tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=[])
    checkpoint.save(TrainingState(1, [np.array(index) for index in range(120)], []))
    loaded = checkpoint.load()
    assert loaded is not None
    assert [int(array) for array in loaded.arrays] == list(range(120))


def test_the_later_state_replaces_the_earlier(tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=SETTINGS)
    checkpoint.save(PROGRESS)
    checkpoint.save(TrainingState(5, PROGRESS.arrays, []))
    loaded = checkpoint.load()
    assert loaded is not None
    assert loaded.epoch == 5
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_no_file_is_no_state(tmp_path: Path):
    assert Checkpoint(tmp_path / "run.npz", settings=SETTINGS).load() is None


@pytest.mark.parametrize(
    "settings",
    [
        ["student/1", {"epochs": 30, "alpha": 0.1}],
        ["student/0", {"epochs": 31, "alpha": 0.1}],
        ["student/0", {"epochs": 30, "alpha": 0.1}, "another input"],
    ],
)
def test_the_state_of_other_settings_is_left_alone(settings: list[object], tmp_path: Path):
    Checkpoint(tmp_path / "run.npz", settings=SETTINGS).save(PROGRESS)
    assert Checkpoint(tmp_path / "run.npz", settings=settings).load() is None


def test_the_order_of_keys_does_not_matter(tmp_path: Path):
    Checkpoint(tmp_path / "run.npz", settings={"a": 1, "b": 2}).save(PROGRESS)
    assert Checkpoint(tmp_path / "run.npz", settings={"b": 2, "a": 1}).load() is not None


@pytest.mark.parametrize(
    ("what", "other"),
    [("_code_hash", lambda script, root: "other code"), ("environment", lambda: {"threads": "7"})],
)
def test_the_state_of_other_code_or_another_machine_is_left_alone(
    what: str, other: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    Checkpoint(tmp_path / "run.npz", settings=SETTINGS).save(PROGRESS)
    monkeypatch.setattr(checkpoint_module, what, other)
    assert Checkpoint(tmp_path / "run.npz", settings=SETTINGS).load() is None


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A project whose stage `train` imports one of two modules."""
    files = {
        "kdtasks/__init__.py": "",
        "kdtasks/learn.py": "rate = 1",
        "kdtasks/cli.py": "import kdtasks.learn",
        "stages/train.py": "def main():\n    from kdtasks.learn import rate",
        "benchmark.py": "import kdtasks.learn",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("script", "edited", "is_same"),
    [
        ("stages/train.py", "kdtasks/cli.py", True),
        ("stages/train.py", "kdtasks/learn.py", False),
        ("stages/train.py", "stages/train.py", False),
        ("benchmark.py", "kdtasks/cli.py", False),
        ("benchmark.py", "benchmark.py", False),
        ("bin/pytest", "kdtasks/cli.py", False),
    ],
)
def test_the_code_of_a_state_is_what_its_stage_runs_or_else_all(
    script: str, edited: str, is_same: bool, code: Path
):
    def current_hash() -> str:
        checkpoint_module._code_hash.cache_clear()
        return checkpoint_module._code_hash(code / script, code)

    before = current_hash()
    (code / edited).write_text((code / edited).read_text() + "\n# edited")
    assert (current_hash() == before) is is_same


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a checkpoint", b"\x93NUMPY"])
def test_another_file_is_no_state(content: bytes, tmp_path: Path):
    (tmp_path / "run.npz").write_bytes(content)
    assert Checkpoint(tmp_path / "run.npz", settings=SETTINGS).load() is None


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_no_state(data: st.DataObject, tmp_path: Path):
    path = tmp_path / "run.npz"
    checkpoint = Checkpoint(path, settings=SETTINGS)
    checkpoint.save(PROGRESS)
    whole = path.read_bytes()
    if data.draw(st.booleans(), label="cut"):
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1), label="length")])
        assert checkpoint.load() is None
        return
    place = data.draw(st.integers(0, len(whole) - 1), label="place")
    flip = data.draw(st.integers(1, 255), label="flip")
    path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
    # Bytes that nobody reads (dates, permissions) may change; then the state is the right one.
    loaded = checkpoint.load()
    assert loaded is None or (
        loaded.epoch == PROGRESS.epoch and all(map(np.array_equal, loaded.arrays, PROGRESS.arrays))
    )


def test_a_half_written_state_is_not_looked_at(tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=SETTINGS)
    checkpoint.save(PROGRESS)
    whole = (tmp_path / "run.npz").read_bytes()
    (tmp_path / ".run.partial.npz").write_bytes(whole[: len(whole) // 2])
    loaded = checkpoint.load()
    assert loaded is not None
    assert loaded.epoch == 4
    checkpoint.save(TrainingState(5, PROGRESS.arrays, []))
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_a_save_that_fails_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=SETTINGS)
    checkpoint.save(PROGRESS)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(TrainingState(5, PROGRESS.arrays, []))
    monkeypatch.undo()
    loaded = checkpoint.load()
    assert loaded is not None
    assert loaded.epoch == 4


def test_removing_twice_is_all_right(tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=SETTINGS)
    checkpoint.save(PROGRESS)
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load() is None


def test_the_hash_of_files_sees_content_and_order_but_not_names(tmp_path: Path):
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path, content in zip(paths, (b"a", b"b", b"a"), strict=True):
        path.write_bytes(content)
    one, two, three = paths
    assert files_hash([one, two]) == files_hash([three, two])
    assert files_hash([one, two]) != files_hash([two, one])
    assert files_hash([one]) != files_hash([one, three])
