import pytest

from kdtasks.deploy.store.address import (
    alias_key,
    blob_key,
    parse_key,
    rotation_key,
    version_key,
)


def test_the_layout_is_the_documented_one():
    assert blob_key("ab") == "blobs/sha256/ab"
    assert version_key("digits", 3) == "models/digits/versions/3.json"
    assert alias_key("digits", "production") == "models/digits/aliases/production.json"
    assert rotation_key("0123456789abcdef") == "keys/0123456789abcdef.json"


def test_keys_are_read_back():
    assert parse_key(version_key("digits", 12)) == ("digits", 12)
    assert parse_key(alias_key("digits", "a.json")) == ("digits", "a.json")


@pytest.mark.parametrize(
    "key",
    [
        "models/a/versions/0.json",
        "models/a/versions/01.json",
        "models/a/versions/1.json.bak",
        "models/a/b/versions/1.json",
        "models/a/versions/x.json",
        "blobs/sha256/1.json",
    ],
)
def test_other_keys_are_no_versions(key: str):
    assert parse_key(key) is None
