import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError
from kdtasks.deploy.store.records import StoredFile, Version, parse_version
from kdtasks.deploy.store.signing import sign_record

VERSION = Version(
    name="digits",
    number=3,
    files=(StoredFile("labels.txt", 4, "0" * 64), StoredFile("model.tflite", 5, "1" * 64)),
    about={"variant": "int8"},
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    identity="ab",
)
KEY = "models/digits/versions/3.json"


def read(record: dict[str, Any]) -> Version:
    data = sign_record("version", record, None)
    return parse_version(data, name="digits", number=3, trusted=()).version


def test_a_version_is_read_back():
    assert read(VERSION.to_record()) == VERSION
    assert VERSION.size == 9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "letters"}, "it is version 3 of 'letters'"),
        ({"version": 4}, "it is version 4"),
        ({"version": True}, "it is version True"),
        ({"files": []}, "it has no file"),
        ({"files": None}, "is damaged"),
        ({"files": ["model.tflite"]}, "is damaged"),
        ({"about": []}, "is damaged"),
        ({"created": "yesterday"}, "is damaged"),
        ({"created": 5}, "is damaged"),
    ],
)
def test_a_wrong_record_is_refused_by_its_key(changes: dict[str, Any], message: str):
    with pytest.raises(IntegrityError, match=message) as error:
        read({**VERSION.to_record(), **changes})
    assert str(error.value).startswith(KEY)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"path": "../model.tflite"}, "names the file '../model.tflite', and it has the part '..'"),
        ({"path": "model.TFLITE"}, "are the same file"),
        ({"path": "model.tflite"}, "are the same file"),
        ({"size": -1}, "has the size -1"),
        ({"size": 1.5}, "has the size 1.5"),
        ({"size": True}, "has the size True"),
        ({"sha256": "0" * 63}, "has the hash"),
        ({"sha256": "0" * 64 + "\n"}, "has the hash"),
        ({"sha256": "../" + "0" * 61}, "has the hash"),
        ({"sha256": None}, "has the hash"),
    ],
)
def test_a_wrong_file_is_refused(file: dict[str, Any], message: str):
    record = copy.deepcopy(VERSION.to_record())
    record["files"][0].update(file)
    with pytest.raises(IntegrityError, match=message):
        read(record)


def test_nothing_that_steers_a_terminal_is_let_through():
    record = {**VERSION.to_record(), "about": {"variant": "int8\x1b[31m\n" + "x" * 200}}
    assert read(record).about["variant"] == "int8[31m" + "x" * 92
