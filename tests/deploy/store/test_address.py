from pathlib import Path

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.address import BucketAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket", BucketAddress("bucket", "")),
        ("s3://bucket/", BucketAddress("bucket", "")),
        ("s3://my.bucket-1/a/b", BucketAddress("my.bucket-1", "a/b/")),
        ("s3://bucket/a/", BucketAddress("bucket", "a/")),
        ("file:///srv/models", Path("/srv/models")),
        ("file:///srv/my%20models", Path("/srv/my models")),
        ("/srv/models", Path("/srv/models")),
    ],
)
def test_addresses(text: str, address: BucketAddress | Path):
    assert parse_address(text) == address


def test_a_relative_folder_and_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert parse_address("models") == tmp_path / "models"
    assert parse_address("~/models") == tmp_path / "home" / "models"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket/b//c", "empty part"),
        ("s3://bucket/../other", "'..' in its prefix"),
        ("file://server/share", "three slashes"),
        ("gs://bucket", "is no store that kdtasks knows; expected s3://"),
        ("https://example.org/models", "is no store that kdtasks knows"),
        ("s3:/bucket/models", r"did you mean s3://bucket/models\?"),
        ("file:/srv/models", r"did you mean file:///srv/models\?"),
        (__file__, "is a file; a store is a folder or a bucket: give s3://bucket/prefix"),
    ],
)
def test_what_is_no_address(text: str, message: str):
    with pytest.raises(StoreError, match=message):
        parse_address(text)


def test_addresses_are_shown_as_they_are_written():
    assert str(parse_address("s3://bucket/a/b/")) == "s3://bucket/a/b"
    assert str(parse_address("file:///srv/models")) == "/srv/models"
