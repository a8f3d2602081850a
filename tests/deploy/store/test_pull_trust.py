"""What was tampered with is refused by name, and with a key only what is signed is accepted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreMissingError
from kdtasks.deploy.store.address import alias_key, blob_key, version_key
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import PublishResult, publish
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.signing import SigningKey

Publish = Callable[..., PublishResult]
Pull = Callable[..., PullResult]
Write = Callable[..., Path]


def rewrite(objects: Any, key: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a record behind everybody's back."""
    path = objects.root / key
    record = json.loads(path.read_bytes())
    change(record)
    path.write_text(json.dumps(record))


def test_a_tampered_content_is_refused_by_name(
    folder_objects: Any, publish_files: Publish, pull: Pull
):
    publish_files(folder_objects)
    sha256 = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    (folder_objects.root / blob_key(sha256)).write_bytes(b"m0del")
    with pytest.raises(IntegrityError, match=f"blobs/sha256/{sha256} .model.tflite. is damaged"):
        pull(folder_objects, "digits")
    (folder_objects.root / blob_key(sha256)).unlink()
    with pytest.raises(StoreMissingError, match=r"\(model.tflite\) is not in the store"):
        pull(folder_objects, "digits")


@pytest.mark.parametrize("path", ["../../escaped", "/tmp/escaped", "a\\b", "C:x", "more/../../x"])
def test_a_manifest_cannot_write_elsewhere(
    folder_objects: Any, publish_files: Publish, pull: Pull, tmp_path: Path, path: str
):
    publish_files(folder_objects)
    key = version_key("digits", 1)
    rewrite(folder_objects, key, lambda record: record["files"][0].update(path=path))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IntegrityError, match=r"versions/1.json is damaged: it names the file"):
        pull(folder_objects, "digits")
    new = set(tmp_path.rglob("*")) - set(before)
    assert all(tmp_path / "cache" in (found, *found.parents) for found in new)


def test_a_manifest_other_than_the_promoted_one_is_refused(
    folder_objects: Any, publish_files: Publish, pull: Pull
):
    publish_files(folder_objects)
    rewrite(folder_objects, version_key("digits", 1), lambda record: record["about"].update(a="b"))
    with pytest.raises(IntegrityError, match=r"1.json is not the manifest that digits@production"):
        pull(folder_objects, "digits@production")


def test_with_a_key_only_what_is_signed_counts(
    folder_objects: Any,
    publish_files: Publish,
    pull: Pull,
    signing_keys: tuple[SigningKey, SigningKey],
):
    ours, theirs = signing_keys
    texts = ("digits", "digits@1", "digits@production")
    publish_files(folder_objects)
    for text in texts:
        pull(folder_objects, text)
    for text in texts:  # and what a client without a key has pulled is not trusted either
        for offline in (False, True):
            with pytest.raises(IntegrityError, match="is not signed"):
                pull(folder_objects, text, trusted=(ours.public,), is_offline=offline)
    publish_files(folder_objects, key=ours)
    pulled = pull(folder_objects, "digits@production", trusted=(ours.public,))
    assert pulled.version.number == 2
    for text in ("digits", "digits@2", "digits@production"):
        with pytest.raises(IntegrityError, match="is signed with the key"):
            pull(folder_objects, text, trusted=(theirs.public,))
        pull(folder_objects, text, trusted=(theirs.public, ours.public))


@pytest.mark.parametrize("key", [version_key("digits", 1), alias_key("digits", "production")])
def test_a_forged_record_is_refused_by_name(
    folder_objects: Any,
    publish_files: Publish,
    pull: Pull,
    signing_keys: tuple[SigningKey, SigningKey],
    key: str,
):
    ours = signing_keys[0]
    publish_files(folder_objects, key=ours)
    for change, message in (
        (lambda record: record.update(more=1), f"the signature of {key} is wrong"),
        (lambda record: record.pop("signature"), f"{key} is not signed"),
    ):
        rewrite(folder_objects, key, change)
        with pytest.raises(IntegrityError, match=message):
            pull(folder_objects, "digits@production", trusted=(ours.public,))


def test_a_signed_version_does_not_pass_for_another(
    folder_objects: Any,
    publish_files: Publish,
    pull: Pull,
    signing_keys: tuple[SigningKey, SigningKey],
    write_files: Write,
):
    ours = signing_keys[0]
    publish_files(folder_objects, key=ours)
    publish(folder_objects, write_files({}), name="letters", signing_key=ours)
    root = folder_objects.root
    shutil.copy(root / version_key("digits", 1), root / version_key("letters", 1))
    with pytest.raises(IntegrityError, match="it is version 1 of 'digits'"):
        pull(folder_objects, "letters", trusted=(ours.public,))
    shutil.copy(root / alias_key("digits", "production"), root / alias_key("digits", "staging"))
    with pytest.raises(IntegrityError, match="it is alias 'production' of 'digits'"):
        pull(folder_objects, "digits@staging", trusted=(ours.public,))


def test_an_older_state_of_an_alias_is_refused(
    folder_objects: Any,
    publish_files: Publish,
    pull: Pull,
    signing_keys: tuple[SigningKey, SigningKey],
):
    """Somebody who can write to the store, but not sign, puts back what was signed once."""
    ours = signing_keys[0]
    path = folder_objects.root / alias_key("digits", "production")
    publish_files(folder_objects, key=ours)
    old = path.read_bytes()
    publish_files(folder_objects, {"labels.txt": b"new"}, key=ours)
    pull(folder_objects, "digits@production", trusted=(ours.public,))
    path.write_bytes(old)
    with pytest.raises(
        IntegrityError, match="when it was pulled last: the store shows an older state"
    ):
        pull(folder_objects, "digits@production", trusted=(ours.public,))
    AliasMover(folder_objects, "digits", "production", signing_key=ours).promote(2)
    pull(folder_objects, "digits@production", trusted=(ours.public,))
    AliasMover(folder_objects, "digits", "production", signing_key=ours).rollback()
    rolled_back = pull(folder_objects, "digits@production", trusted=(ours.public,))
    assert rolled_back.version.number == 1


def test_serials_go_on_after_an_alias_was_deleted(
    folder_objects: Any,
    publish_files: Publish,
    pull: Pull,
    signing_keys: tuple[SigningKey, SigningKey],
    monkeypatch: pytest.MonkeyPatch,
):
    """Else what was signed before the deletion would pass for newer than what came after."""
    ours = signing_keys[0]
    path = folder_objects.root / alias_key("digits", "production")
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    publish_files(folder_objects, key=ours)
    publish_files(folder_objects, {"labels.txt": b"bad"}, key=ours)
    old = path.read_bytes()
    path.unlink()
    monkeypatch.setattr("time.time", lambda: 1_700_000_060.0)
    AliasMover(folder_objects, "digits", "production", signing_key=ours).promote(1)
    pull(folder_objects, "digits@production", trusted=(ours.public,))
    path.write_bytes(old)
    with pytest.raises(IntegrityError, match="has serial 1700000001, and had 1700000060 when"):
        pull(folder_objects, "digits@production", trusted=(ours.public,))
