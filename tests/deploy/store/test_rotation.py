"""A key is succeeded by another: devices follow, and the old one does not come back."""

import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import (
    IntegrityError,
    StoreConflictError,
    StoreError,
    UnknownSignerError,
)
from kdtasks.deploy.store.address import alias_key, rotation_key
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.rotation import LONGEST, follow, rotate
from kdtasks.deploy.store.signing import SigningKey, load_signing_key, write_new_keys

REFERENCE = "digits@production"
Publish = Callable[..., Any]
Pull = Callable[..., Any]


@pytest.fixture
def keys(tmp_path: Path) -> list[SigningKey]:
    """More keys than may follow one another."""
    found = []
    for number in range(LONGEST + 2):
        write_new_keys(tmp_path / f"{number}.pem")
        key = load_signing_key(str(tmp_path / f"{number}.pem"))
        assert key is not None
        found.append(key)
    return found


def promote(objects: Any, key: SigningKey, *trusted: SigningKey, number: int = 1) -> None:
    others = [one.public for one in trusted]
    AliasMover(objects, "digits", "production", key, others).promote(number)


def age(cache: Path) -> None:
    """Let the last look for successors have been the day before yesterday."""
    then = time.time() - 2 * 86_400
    for path in (cache / "keys").iterdir():
        os.utime(path, (then, then))


def test_a_device_follows_a_rotation(
    folder_objects: Any, publish_files: Publish, pull: Pull, keys: list[SigningKey], tmp_path: Path
):
    old, new, *_ = keys
    trusted = (old.public,)
    publish_files(folder_objects, key=old)
    pull(folder_objects, REFERENCE, trusted=trusted)
    path = folder_objects.root / alias_key("digits", "production")
    before = path.read_bytes()
    rotate(folder_objects, old, new.public)
    rotate(folder_objects, old, new.public)  # again is the same
    promote(folder_objects, new, old)
    # the version still bears the old key's signature: the alias names it by its hash
    assert pull(folder_objects, REFERENCE, trusted=trusted).version.number == 1
    assert pull(folder_objects, REFERENCE, trusted=trusted, is_offline=True).version.number == 1
    publish_files(folder_objects, {"labels.txt": b"new"}, key=new)
    for text in (REFERENCE, "digits", "digits@2"):
        assert pull(folder_objects, text, trusted=trusted).version.number == 2
    # the old key counts no more: not for an alias, and not for a version by its number
    path.write_bytes(before)
    for text in (REFERENCE, "digits@1"):
        with pytest.raises(IntegrityError, match=f"{text} .* {old.public.identity}, which another"):
            pull(folder_objects, text, trusted=trusted)
    # nor where the record is hidden; other devices cannot know of it
    (folder_objects.root / rotation_key(old.public.identity)).unlink()
    with pytest.raises(IntegrityError, match="which another has succeeded; promote the alias"):
        pull(folder_objects, REFERENCE, trusted=trusted)
    assert pull(folder_objects, REFERENCE, trusted=trusted, cache="new").version.number == 1


def test_an_older_state_is_refused_across_a_rotation(
    folder_objects: Any, publish_files: Publish, pull: Pull, keys: list[SigningKey]
):
    old, new, *_ = keys
    publish_files(folder_objects, key=old)
    promote(folder_objects, new, old)
    path = folder_objects.root / alias_key("digits", "production")
    stale = path.read_bytes()
    promote(folder_objects, old)
    pull(folder_objects, REFERENCE, trusted=(old.public,))
    rotate(folder_objects, old, new.public)
    path.write_bytes(stale)
    with pytest.raises(IntegrityError, match="the store shows an older state"):
        pull(folder_objects, REFERENCE, trusted=(old.public,))


def test_a_rotation_is_looked_for_once_a_day(
    folder_objects: Any,
    publish_files: Publish,
    pull: Pull,
    keys: list[SigningKey],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    old, new, *_ = keys
    publish_files(folder_objects, key=old)
    asked: list[str] = []
    read = folder_objects.read

    def counted(_: Any, key: str) -> Any:
        asked.append(key)
        return read(key)

    monkeypatch.setattr(type(folder_objects), "read", counted)
    pull(folder_objects, REFERENCE, trusted=(old.public,))
    asked.clear()
    rotate(folder_objects, old, new.public)
    pull(folder_objects, REFERENCE, trusted=(old.public,))
    assert asked == [alias_key("digits", "production")]
    age(tmp_path / "cache")
    with pytest.raises(IntegrityError, match="which another has succeeded"):
        pull(folder_objects, REFERENCE, trusted=(old.public,))


@pytest.mark.parametrize("way", ["signer", "changed", "other key", "unsigned", "cut"])
def test_a_forged_rotation_is_refused(
    folder_objects: Any, publish_files: Publish, pull: Pull, keys: list[SigningKey], way: str
):
    old, theirs, third, *_ = keys
    publish_files(folder_objects, key=old)
    rotate(folder_objects, theirs if way in ("signer", "other key") else old, third.public)
    path = folder_objects.root / rotation_key(old.public.identity)
    if way in ("signer", "other key"):
        path.write_bytes((folder_objects.root / rotation_key(theirs.public.identity)).read_bytes())
    record = json.loads(path.read_bytes())
    if way == "changed":
        record["successor"] = "A" * 43 + "="
    elif way == "other key":
        record["signature"]["key"] = record["key"] = old.public.identity
    elif way == "unsigned":
        del record["signature"]
    text = json.dumps(record)
    path.write_text(text[:-9] if way == "cut" else text)
    message = rf"keys/{old.public.identity}.json is (signed with the key|not signed|wrong|damaged)"
    with pytest.raises(IntegrityError, match=rf"{message}|signature of keys/.* is wrong"):
        pull(folder_objects, REFERENCE, trusted=(old.public,))
    path.unlink()
    assert pull(folder_objects, REFERENCE, trusted=(old.public,)).version.number == 1


def test_ten_successions_are_followed_and_no_more(
    folder_objects: Any, keys: list[SigningKey], tmp_path: Path
):
    folder_objects.check_conditions()
    trusted = (keys[0].public,)
    for old, new in itertools.pairwise(keys[: LONGEST + 1]):
        rotate(folder_objects, old, new.public)
    cache = Cache(tmp_path / "cache")
    trust = follow(trusted, cache, folder_objects)
    assert [key.identity for key in trust.live] == [keys[LONGEST].public.identity]
    assert len(trust.retired) == LONGEST
    assert follow(trusted, cache, None) == trust
    both = (keys[0].public, keys[3].public)  # a file may hold old keys and new ones
    assert follow(both, cache, None).live == trust.live
    rotate(folder_objects, keys[LONGEST], keys[LONGEST + 1].public)
    for place in (cache, Cache(tmp_path / "new")):
        with pytest.raises(IntegrityError, match="has more than 10 successors, or they go round"):
            follow(trusted, place, folder_objects)
    assert follow(trusted, cache, None) == trust


def test_a_circle_is_refused(folder_objects: Any, keys: list[SigningKey], tmp_path: Path):
    folder_objects.check_conditions()
    one, other, *_ = keys
    rotate(folder_objects, one, other.public)
    rotate(folder_objects, other, one.public)
    with pytest.raises(IntegrityError, match="or they go round in a circle"):
        follow((one.public,), Cache(tmp_path / "cache"), folder_objects)


def test_a_key_is_succeeded_once(folder_objects: Any, keys: list[SigningKey]):
    folder_objects.check_conditions()
    old, new, third, *_ = keys
    with pytest.raises(StoreError, match="cannot succeed itself"):
        rotate(folder_objects, old, old.public)
    rotate(folder_objects, old, new.public)
    with pytest.raises(StoreConflictError, match="was succeeded by another before"):
        rotate(folder_objects, old, third.public)


def test_a_stranger_stays_a_stranger(
    folder_objects: Any, publish_files: Publish, pull: Pull, keys: list[SigningKey]
):
    old, new, third, *_ = keys
    publish_files(folder_objects, key=third)
    rotate(folder_objects, old, new.public)
    with pytest.raises(UnknownSignerError, match=f"only {new.public.identity} is accepted here"):
        pull(folder_objects, REFERENCE, trusted=(old.public,))
