"""A signed alias may expire, so that nobody can show an old one for ever."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreError
from kdtasks.deploy.store import pull as pulling
from kdtasks.deploy.store.address import alias_key
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.records import Alias, read_alias
from kdtasks.deploy.store.signing import SigningKey

DAY = timedelta(days=1)
Keys = tuple[SigningKey, SigningKey]


def mover(objects: Any, key: SigningKey | None, lifetime: timedelta | None) -> AliasMover:
    return AliasMover(objects, "digits", "production", key, lifetime=lifetime)


def alias_of(objects: Any) -> Alias:
    return read_alias(objects, "digits", "production").alias


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Give a function that sets the device's clock ahead."""

    def do(ahead: timedelta) -> None:
        class Ahead(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + ahead

        monkeypatch.setattr(pulling, "datetime", Ahead)

    return do


def test_an_expired_alias_is_refused_until_it_is_renewed(
    folder_objects: Any,
    publish_files: Callable[..., Any],
    pull: Callable[..., Any],
    signing_keys: Keys,
    later: Callable[[timedelta], None],
):
    ours = signing_keys[0]
    trusted = (ours.public,)
    publish_files(folder_objects, key=ours)
    mover(folder_objects, ours, 30 * DAY).promote(1)
    later(29 * DAY)
    pull(folder_objects, "digits@production", trusted=trusted)
    later(31 * DAY)
    remedy = r"`kdtasks promote digits 1 --alias production --expires DAYS` renews it"
    with pytest.raises(IntegrityError, match=f"digits@production expired at .* UTC, .*{remedy}"):
        pull(folder_objects, "digits@production", trusted=trusted)
    pull(folder_objects, "digits@production", trusted=trusted, is_offline=True)
    pull(folder_objects, "digits@production")  # who trusts the store as it is asks for no date
    mover(folder_objects, ours, 60 * DAY).promote(1)
    pull(folder_objects, "digits@production", trusted=trusted)


def test_the_date_is_signed(
    folder_objects: Any,
    publish_files: Callable[..., Any],
    pull: Callable[..., Any],
    signing_keys: Keys,
):
    ours = signing_keys[0]
    publish_files(folder_objects, key=ours)
    mover(folder_objects, ours, DAY).promote(1)
    path: Path = folder_objects.root / alias_key("digits", "production")
    record = json.loads(path.read_text())
    for expires in ("2999-01-01T00:00:00+00:00", None):
        path.write_text(json.dumps({**record, "expires": expires}))
        with pytest.raises(IntegrityError, match=r"the signature of .* is wrong"):
            pull(folder_objects, "digits@production", trusted=(ours.public,))


def test_every_move_renews_for_as_long_as_before(
    folder_objects: Any, publish_files: Callable[..., Any], signing_keys: Keys
):
    ours = signing_keys[0]
    publish_files(folder_objects, key=ours)
    assert alias_of(folder_objects).expires is None
    mover(folder_objects, ours, 30 * DAY).promote(1)
    publish_files(folder_objects, {"labels.txt": b"new"}, key=ours)
    found = alias_of(folder_objects)
    assert (found.version, found.expires) == (2, found.moved + 30 * DAY)
    mover(folder_objects, ours, None).rollback()
    found = alias_of(folder_objects)
    assert (found.version, found.expires) == (1, found.moved + 30 * DAY)
    mover(folder_objects, ours, timedelta()).promote(1)
    assert alias_of(folder_objects).expires is None


def test_publishing_what_the_alias_stands_for_renews_it(
    folder_objects: Any, publish_files: Callable[..., Any], signing_keys: Keys
):
    ours = signing_keys[0]
    found = publish_files(folder_objects, key=ours).found
    mover(folder_objects, ours, DAY).advance(found)
    assert alias_of(folder_objects).expires is not None
    serial = alias_of(folder_objects).serial
    mover(folder_objects, ours, None).advance(found)
    assert alias_of(folder_objects).serial == serial


def test_a_date_that_nobody_signs_is_refused(folder_objects: Any):
    with pytest.raises(StoreError, match=r"digits@production would expire on a date that nobody"):
        mover(folder_objects, None, DAY)


def test_a_date_needs_a_time_zone():
    now = datetime.now(UTC)
    alias = Alias(
        name="a", alias="b", version=1, manifest_sha256="", serial=1, previous=(), moved=now
    )
    with pytest.raises(ValueError, match="has no time zone"):
        dataclasses.replace(alias, expires=now.replace(tzinfo=None))
