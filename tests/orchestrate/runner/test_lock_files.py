"""Lock files written entry by entry, against DVC's own way of writing them."""

from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml, loads_yaml, modify_yaml

from kdtasks.orchestrate.runner.lock_files import LockFiles

SHARED = [0, 1, 2]  # in two entries, as values of params may be
ENTRIES: dict[str, Any] = {
    "first": {"cmd": "echo " + "long " * 40, "params": {"params.yaml": {"seeds": SHARED}}},
    "second@a+b": {"cmd": ["one: two", "# no comment"], "outs": [{"path": "ä", "size": 0}]},
    "third": {"cmd": "", "params": {"params.yaml": {"seeds": SHARED, "none": None, "is": True}}},
}


def test_the_file_is_the_one_that_dvc_writes_entry_by_entry(tmp_path: Path):
    lock, other = tmp_path / "dvc.lock", tmp_path / "other.lock"
    files = LockFiles(tmp_path, [(str(lock), name) for name in ENTRIES])
    for name in reversed(ENTRIES):
        assert files.write(str(lock), {name: ENTRIES[name]})
        assert not files.write(str(lock), {name: ENTRIES[name]})
    entries = ENTRIES | {"second@a+b": {"cmd": "other"}}
    files.write(str(lock), {"second@a+b": entries["second@a+b"]})
    files.close()
    other.write_text(dumps_yaml({"schema": "2.0", "stages": {}}), encoding="utf-8")
    for name, entry in entries.items():
        with modify_yaml(str(other)) as content:
            content["stages"][name] = entry
    assert lock.read_text(encoding="utf-8") == other.read_text(encoding="utf-8")


def test_what_another_process_adds_stays_and_so_do_comments(tmp_path: Path):
    lock = tmp_path / "dvc.lock"
    files = LockFiles(tmp_path, [(str(lock), "first"), (str(lock), "third")])
    files.write(str(lock), {"third": ENTRIES["third"]})
    text = lock.read_text(encoding="utf-8")
    lock.write_text(f"# ours\n{text}  other: # theirs\n    cmd: echo\n", encoding="utf-8")
    files.write(str(lock), {"first": ENTRIES["first"]})
    files.close()
    written = lock.read_text(encoding="utf-8")
    stages = loads_yaml(written)["stages"]
    assert list(stages) == ["first", "third", "other"]
    assert stages == {"other": {"cmd": "echo"}, **{n: ENTRIES[n] for n in ("first", "third")}}
    assert written.startswith("# ours\n")
    assert "# theirs" in written


def test_what_dvc_puts_after_the_stages_stays(tmp_path: Path):
    lock = tmp_path / "dvc.lock"
    datasets = [{"name": "d", "type": "dvc"}]
    lock.write_text(
        dumps_yaml({"schema": "2.0", "stages": {"a": {"cmd": "echo"}}, "datasets": datasets}),
        encoding="utf-8",
    )
    files = LockFiles(tmp_path, [(str(lock), "first"), (str(lock), "a")])
    files.write(str(lock), {"first": ENTRIES["first"]})
    files.close()
    content = loads_yaml(lock.read_text(encoding="utf-8"))
    assert content["datasets"] == datasets
    assert content["stages"] == {"first": ENTRIES["first"], "a": {"cmd": "echo"}}
