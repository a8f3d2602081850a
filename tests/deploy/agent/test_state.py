"""What an agent knows after `kill -9`."""

import os
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.deploy.agent.state import DeviceState


def bundle(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_text(text)
    return folder


def test_what_was_kept_last_is_there_and_the_one_before(tmp_path: Path):
    state = DeviceState(tmp_path / "state")
    assert state.kept() == []
    for number, identity in enumerate(("aa", "bb", "cc"), start=1):
        state.keep(bundle(tmp_path / "bundle", str(number)), identity, number)
    kept = DeviceState(tmp_path / "state").kept()
    assert [(one.identity, one.number) for one in kept] == [("cc", 3), ("bb", 2)]
    assert [(one.folder / "model.tflite").read_text() for one in kept] == ["3", "2"]
    assert len(list((tmp_path / "state" / "releases").iterdir())) == 2


def test_what_is_forgotten_leaves_the_one_before(tmp_path: Path):
    state = DeviceState(tmp_path / "state")
    state.keep(bundle(tmp_path / "bundle", "1"), "aa", 1)
    state.keep(bundle(tmp_path / "bundle", "2"), "bb", 2)
    state.forget(state.kept()[0])
    assert [one.identity for one in state.kept()] == ["aa"]
    assert [path.name for path in (tmp_path / "state" / "releases").iterdir()] == ["aa"]


def test_what_is_kept_again_is_copied_again(tmp_path: Path):
    state = DeviceState(tmp_path / "state")
    state.keep(bundle(tmp_path / "bundle", "1"), "aa", 1)
    (state.kept()[0].folder / "model.tflite").write_text("damaged")
    state.keep(bundle(tmp_path / "bundle", "1"), "aa", 1)
    (kept,) = state.kept()
    assert (kept.folder / "model.tflite").read_text() == "1"


def test_a_copy_that_was_cut_is_made_anew(tmp_path: Path):
    state = DeviceState(tmp_path / "state")
    half = tmp_path / "state" / "releases" / ".aa.partial"
    half.mkdir()
    (half / "half").touch()
    state.keep(bundle(tmp_path / "bundle", "1"), "aa", 1)
    (kept,) = state.kept()
    assert [path.name for path in kept.folder.iterdir()] == ["model.tflite"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"kept": 1}',
        '{"kept": [1, null, {}]}',
        '{"kept": [{"identity": "aa", "number": 1}]}',
        '{"kept": [{"identity": "releases", "number": 1e999}]}',
        "[" * 100_000,
        '{"kept": [{"identity": "../releases", "number": 1}, {"identity": "..", "number": 1}]}',
    ],
)
def test_a_damaged_state_is_none(tmp_path: Path, text: str):
    state = DeviceState(tmp_path)
    (tmp_path / "state.json").write_text(text)
    assert state.kept() == []
    assert state.begin("aa")


def test_a_folder_in_the_place_of_the_lock_is_told(tmp_path: Path):
    state = DeviceState(tmp_path)
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreError, match=r"locking the state in .* failed"), state.locked():
        pass


def test_a_pipe_in_the_place_of_the_state_is_none(tmp_path: Path):
    state = DeviceState(tmp_path)
    os.mkfifo(tmp_path / "state.json")
    assert state.kept() == []


def test_a_damaged_number_of_attempts_is_none(tmp_path: Path):
    state = DeviceState(tmp_path / "state")
    state.keep(bundle(tmp_path / "bundle", "1"), "kept", 1)
    path = tmp_path / "state" / "state.json"
    path.write_text(path.read_text().replace("null", '{"identity": "aa", "attempts": "x"}'))
    assert '"x"' in path.read_text()
    assert state.begin("aa")


def test_a_version_that_takes_the_process_with_it_is_tried_twice(tmp_path: Path):
    DeviceState(tmp_path / "state").keep(bundle(tmp_path / "bundle", "1"), "kept", 1)
    assert DeviceState(tmp_path / "state").begin("aa")
    assert DeviceState(tmp_path / "state").begin("aa")
    assert not DeviceState(tmp_path / "state").begin("aa")
    assert DeviceState(tmp_path / "state").begin("bb")
    assert DeviceState(tmp_path / "state").begin("bb")
    assert all(DeviceState(tmp_path / "state").begin("kept") for _ in range(5))


def test_while_nothing_is_kept_everything_is_tried(tmp_path: Path):
    assert all(DeviceState(tmp_path).begin("aa") for _ in range(5))


def test_attempts_that_the_process_survives_do_not_count(tmp_path: Path):
    state = DeviceState(tmp_path / "state")
    state.keep(bundle(tmp_path / "bundle", "1"), "kept", 1)
    for _ in range(5):
        assert state.begin("aa")
        state.end()
