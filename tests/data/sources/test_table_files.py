"""Which files are tables, and what is said of those that cannot be read."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.raw_dataset import RawDataset
from tests.data.sources.conftest import classes_of, write_table

Photos = Callable[..., Path]
Load = Callable[..., RawDataset]
EXPECTED = {"a.png": "cat", "deep/b.png": "dog"}


@pytest.fixture
def load(load_source: Load) -> Load:
    return partial(load_source, "table")


@pytest.mark.parametrize(
    "text",
    [
        "a.png cat\ndeep/b.png dog\n",
        "# of 2019\na   cat\n\n./deep/b.png\tdog\n",
        "a.png\tcat\ndeep/b.png\tdog\n",
        "path label\na.png cat\ndeep/b.png dog\n",
        "label filename\ncat a.png\ndog b.png\n",
        "a cat 1\nb dog 2\n",
        "file,label\na,cat\nb,dog\n",
    ],
)
def test_a_plain_list_is_a_table(text: str, photos: Photos, load: Load) -> None:
    root = photos("a.png", "deep/b.png")
    write_table(root, text, "train.txt")
    assert classes_of(load(root)) == EXPECTED


def test_a_list_of_paths_with_spaces(photos: Photos, load: Load) -> None:
    root = photos("my cat.png", "b.png")
    write_table(root, "my cat.png 1\nb.png 0\n", "list.txt")
    assert classes_of(load(root)) == {"my cat.png": "1", "b.png": "0"}
    write_table(root, "my cat.png 1 x\nb.png 0 x y\nb 0 x\n", "list.txt")
    with pytest.raises(DatasetError, match=r"line 1 has 4 columns, others 3; write it as CSV, and"):
        load(root)


def test_notes_beside_a_table_are_none(photos: Photos, load: Load) -> None:
    root = photos("a.png", "deep/b.png")
    write_table(root, "id,breed\na,cat\nb,dog\n")
    write_table(root, "These photos are mine.\n", "README.txt")
    assert classes_of(load(root)) == EXPECTED
    (root / "labels.csv").unlink()
    write_table(root, "a 1\nb 2\n", "list.txt")
    with pytest.raises(DatasetError, match=r"holds 2 tables \(README.txt, list.txt\), .* name it"):
        load(root)
    assert classes_of(load(root, file="list.txt")) == {"a.png": "1", "deep/b.png": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\na,cat,3\n", r"line 2 has 3 columns, the header 2; correct the line, or quote"),
        ("id,label\n", "has no rows below its header"),
        ("", "has no rows below its header"),
        ("id,id\na,b\n", "has two columns of one name"),
    ],
)
def test_a_damaged_table_is_told(text: str, message: str, photos: Photos, load: Load) -> None:
    root = photos("a.png")
    write_table(root, text)
    with pytest.raises(DatasetError, match=message):
        load(root)


def test_a_table_in_another_encoding_or_gone_is_told(photos: Photos, load: Load) -> None:
    root = photos("a.png")
    with pytest.raises(DatasetError, match=r"holds 0 tables, one of \.csv"):
        load(root)
    (root / "labels.csv").write_bytes("id,label\na,café\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"cannot be read as a table .* CSV in UTF-8"):
        load(root)
    with pytest.raises(DatasetError, match=r"gone\.csv cannot be read as a table"):
        load(root, file="gone.csv")
    os.mkfifo(root / "pipe.csv")
    with pytest.raises(DatasetError, match=r"pipe\.csv cannot be read as a table .* is no file"):
        load(root, file="pipe.csv")
    (root / "pipe.csv").unlink()
    write_table(root, "id,label\na,cat\n")
    with pytest.raises(DatasetError, match=r"elsewhere not found.* correct source\.images"):
        load(root, images="elsewhere")


def test_parquet(photos: Photos, load: Load) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="an option that nothing here needs")
    from pyarrow import parquet

    root = photos("1.png", "2.png")
    columns = {"id": np.array([1, 2]), "label": ["cat", "dog"], "split": [None, None]}
    parquet.write_table(pyarrow.table(columns), root / "labels.parquet")
    assert classes_of(load(root)) == {"1.png": "cat", "2.png": "dog"}


def test_parquet_without_its_library_is_told(
    photos: Photos, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = photos("1.png")
    write_table(root, "", "labels.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DatasetError, match=r"labels\.parquet needs pyarrow.* or write the table"):
        load(root)
