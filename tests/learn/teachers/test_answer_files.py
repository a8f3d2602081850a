"""The same names and numbers out of every kind of file, and what cannot be read."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.answer_files import read_answer_file

NAMES = ("cat/one, two.png", "dog/ä.png", "unlabelled/x.png")
CLASSES = ("cat", "dog")
VALUES = np.array([[1.5, -2.25], [0.0, 3.125], [-1e-3, 7.0]], np.float32)


def as_npz(folder: Path) -> Path:
    path = folder / "answers.npz"
    np.savez(path, names=np.array(NAMES), classes=np.array(CLASSES), logits=VALUES)
    return path


def as_npy(folder: Path) -> Path:
    inside = folder / "answers"
    inside.mkdir()
    np.save(inside / "clip.npy", VALUES.astype(np.float64))
    (inside / "clip.names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    (inside / ".gitkeep").touch()
    return inside


def as_csv(folder: Path) -> Path:
    path = folder / "ANSWERS.CSV"
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # as Excel writes it
        writer = csv.writer(file)
        writer.writerow(["image", *CLASSES])
        writer.writerows([name, *row] for name, row in zip(NAMES, VALUES.tolist(), strict=True))
    return path


def as_parquet(folder: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="an option that nothing here needs")
    from pyarrow import parquet

    path = folder / "answers.parquet"
    columns = {name: VALUES[:, place] for place, name in enumerate(CLASSES)}
    parquet.write_table(pyarrow.table({"image": list(NAMES), **columns}), path)
    return path


@pytest.mark.parametrize("write", [as_npz, as_npy, as_csv, as_parquet])
def test_every_kind_gives_the_same(write: Callable[[Path], Path], tmp_path: Path):
    found = read_answer_file(write(tmp_path))
    assert found.names == NAMES
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.classes == (None if write is as_npy else CLASSES)
    assert found.kind == ("logits" if write is as_npz else None)


def test_an_array_says_that_it_holds_probabilities(tmp_path: Path):
    np.savez(tmp_path / "a.npz", names=np.array(["a"]), probabilities=np.array([[0.25, 0.75]]))
    found = read_answer_file(tmp_path / "a.npz")
    assert (found.kind, found.classes) == ("probabilities", None)


def test_a_folder_holds_one_file(tmp_path: Path):
    with pytest.raises(TeacherError, match=r"holds 0 files of answers \(\.npz, \.npy, \.csv"):
        read_answer_file(tmp_path)
    as_npz(tmp_path)
    as_csv(tmp_path)
    with pytest.raises(TeacherError, match=r"holds 2 files .* leave one alone in the folder"):
        read_answer_file(tmp_path)


def test_a_file_is_refused_that_is_no_answer(tmp_path: Path):
    with pytest.raises(TeacherError, match=r"teacher\.path: .*a\.npz not found"):
        read_answer_file(tmp_path / "a.npz")
    (tmp_path / "teacher.keras").touch()
    with pytest.raises(TeacherError, match=r"no file of answers; .* set teacher\.source to import"):
        read_answer_file(tmp_path / "teacher.keras")


def test_dvc_must_see_the_names_of_an_npy(tmp_path: Path):
    inside = as_npy(tmp_path)
    with pytest.raises(TeacherError, match=r"clip\.names\.txt into a folder of their own, and giv"):
        read_answer_file(inside / "clip.npy")
    (inside / "clip.names.txt").unlink()
    with pytest.raises(TeacherError, match=r"clip\.names\.txt not found; .* one name a line"):
        read_answer_file(inside)


def test_names_and_numbers_must_be_as_many(tmp_path: Path):
    np.savez(tmp_path / "a.npz", names=np.array(NAMES), logits=VALUES[:2])
    with pytest.raises(TeacherError, match=r"shape \(2, 2\) and 3 names; one row of numbers"):
        read_answer_file(tmp_path / "a.npz")


@pytest.mark.parametrize("keys", [("names",), ("logits",), ("names", "logits", "probabilities")])
def test_arrays_of_an_npz_have_names(tmp_path: Path, keys: tuple[str, ...]):
    arrays = {key: np.array(NAMES) if key == "names" else VALUES for key in keys}
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    message = f"holds the arrays {', '.join(keys)}; `names` and either"
    with pytest.raises(TeacherError, match=message):
        read_answer_file(tmp_path / "a.npz")


def test_nothing_is_unpickled(tmp_path: Path):
    np.savez(tmp_path / "a.npz", names=np.array(NAMES, object), logits=VALUES)
    with pytest.raises(TeacherError, match=r"a\.npz could not be read \(ValueError: Object arrays"):
        read_answer_file(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", names=np.arange(3), logits=VALUES)
    with pytest.raises(TeacherError, match=r"`names` in .* is of type int64, text was expected"):
        read_answer_file(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", names=np.array(NAMES), logits=VALUES.astype(str))
    with pytest.raises(TeacherError, match=r"of type <U.*, numbers were expected"):
        read_answer_file(tmp_path / "c.npz")


def test_lines_of_a_csv_that_cannot_be_right_are_named(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("image,cat,dog\na.png,1,2\n\nb.png,1\n")
    with pytest.raises(TeacherError, match=r"line 4 of .* has 2 columns, the header 3"):
        read_answer_file(path)
    path.write_text("image,cat,dog\na.png,1,two\n")
    with pytest.raises(TeacherError, match=r"line 2 of .* \(a\.png\) .* no number"):
        read_answer_file(path)
    path.write_text("image,cat,dog\na.png,1e300,nan\n")  # whoever looks at it refuses it
    np.testing.assert_array_equal(read_answer_file(path).values, [[np.inf, np.nan]])
    path.write_text("")
    assert read_answer_file(path).values.shape == (0, 0)


def test_a_damaged_file_is_named(tmp_path: Path):
    path = as_npz(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TeacherError, match=r"answers\.npz could not be read .* is complete"):
        read_answer_file(path)


def test_parquet_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(TeacherError, match=r"pyarrow, which is not installed; .* \.npz or \.csv"):
        read_answer_file(tmp_path / "a.parquet")
