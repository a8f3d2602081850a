"""Files and folders are there whole or not at all."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.files import (
    atomic_file,
    atomic_folder,
    json_text,
    read_json,
    write_csv,
    write_json,
    write_lists,
    write_text,
)


def test_a_file_appears_when_it_is_whole(tmp_path: Path):
    target = tmp_path / "new" / "model.weights.h5"
    with atomic_file(target) as partial:
        assert partial.parent == target.parent
        assert partial.suffix == ".h5"
        partial.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["model.weights.h5"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old", encoding="utf-8")

    def fail_half_way() -> None:
        with atomic_file(target) as partial:
            partial.write_text("ha", encoding="utf-8")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        fail_half_way()
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "stale").touch()
    with atomic_folder(target) as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "file").write_text("new", encoding="utf-8")
        assert (target / "stale").exists()
    assert [str(p.relative_to(target)) for p in sorted(target.rglob("*"))] == [
        "inner",
        "inner/file",
    ]
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_the_old_folder(tmp_path: Path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").touch()

    def fail_half_way() -> None:
        with atomic_folder(target) as partial:
            (partial / "new").touch()
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        fail_half_way()
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_leftovers_of_a_killed_process_do_not_get_in(tmp_path: Path):
    (tmp_path / ".bundle.partial").mkdir()
    (tmp_path / ".bundle.partial" / "leftover").touch()
    with atomic_folder(tmp_path / "bundle") as partial:
        (partial / "new").touch()
    assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["new"]


def test_json_is_sorted_indented_and_readable(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, 2.5], "a": "ü"})
    assert path.read_text(encoding="utf-8") == (
        '{\n  "a": "ü",\n  "b": [\n    1,\n    2.5\n  ]\n}\n'
    )


def test_json_without_a_standard_is_refused_and_the_old_file_stays(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json(path, float("nan"))
    assert read_json(path) == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # lone surrogates are not text
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=8,
)


@given(content=JSON)
def test_json_comes_back_as_it_was(content: object, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    write_json(path, content)
    assert read_json(path) == content


def test_text_is_utf_8(tmp_path: Path):
    write_text(tmp_path / "a", "ü\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xbc\n"


def test_tables_keep_all_digits(tmp_path: Path):
    path = tmp_path / "variant" / "tradeoff.csv"
    write_csv(path, "exit,cost", [(0, 0.1 + 0.2), (1, 1.0)])
    assert path.read_text(encoding="utf-8") == "exit,cost\n0,0.30000000000000004\n1,1.0\n"
    write_csv(path, "exit,cost", [])
    assert path.read_text(encoding="utf-8") == "exit,cost\n"


@given(st.dictionaries(st.text(), st.lists(st.text())))
def test_lists_are_written_an_entry_at_a_time_as_json_is(lists: dict[str, list[str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lists.json"
        write_lists(path, lists)
        assert path.read_text(encoding="utf-8") == json_text(lists)
