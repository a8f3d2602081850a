import threading
from collections.abc import Callable
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreConflictError, StoreError, StoreMissingError
from kdtasks.deploy.store.address import alias_key, version_key
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.records import HISTORY, FoundVersion, fetch_version, read_alias

Publish = Callable[..., list[FoundVersion]]


@pytest.fixture(autouse=True)
def serials_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdtasks.deploy.store.promotion.first_serial", lambda: 1)


def state(objects: Objects, alias: str = "production") -> tuple[int, tuple[int, ...], int]:
    found = read_alias(objects, "digits", alias).alias
    return found.version, found.previous, found.serial


def test_promoting_and_rolling_back(objects: Objects, publish_versions: Publish):
    publish_versions(objects, 3)
    assert AliasMover(objects, "digits", "production").promote(1).before is None
    assert AliasMover(objects, "digits", "production").promote(2).before == 1
    assert AliasMover(objects, "digits", "production").promote(3).before == 2
    assert state(objects) == (3, (2, 1), 3)
    assert AliasMover(objects, "digits", "production").rollback().alias.version == 2
    assert AliasMover(objects, "digits", "production").rollback().alias.version == 1
    assert state(objects) == (1, (), 5)
    with pytest.raises(
        StoreError, match="stands for version 1, and nothing is known of one before it"
    ):
        AliasMover(objects, "digits", "production").rollback()


def test_promoting_what_is_promoted_changes_nothing(
    folder_objects: Objects, publish_versions: Publish
):
    publish_versions(folder_objects, 1)
    AliasMover(folder_objects, "digits", "production").promote(1)
    assert AliasMover(folder_objects, "digits", "production").promote(1).before == 1
    assert state(folder_objects) == (1, (), 1)


def test_a_version_stands_once_in_the_history(folder_objects: Objects, publish_versions: Publish):
    publish_versions(folder_objects, 2)
    for number in (1, 2, 1, 2):
        AliasMover(folder_objects, "digits", "production").promote(number)
    assert state(folder_objects) == (2, (1,), 4)


def test_the_history_is_bounded(folder_objects: Objects, publish_versions: Publish):
    publish_versions(folder_objects, HISTORY + 3)
    for number in range(1, HISTORY + 4):
        AliasMover(folder_objects, "digits", "production").promote(number)
    assert state(folder_objects)[1] == tuple(range(HISTORY + 2, 2, -1))


def test_what_is_not_there_is_not_promoted(folder_objects: Objects, publish_versions: Publish):
    publish_versions(folder_objects, 1)
    with pytest.raises(StoreMissingError, match="no version 2 of digits"):
        AliasMover(folder_objects, "digits", "production").promote(2)
    with pytest.raises(StoreMissingError, match="digits has no alias production"):
        AliasMover(folder_objects, "digits", "production").rollback()
    with pytest.raises(StoreError, match="is no alias"):
        AliasMover(folder_objects, "digits", "3").promote(1)


def test_publishing_moves_an_alias_forward_only(objects: Objects, publish_versions: Publish):
    first, second = publish_versions(objects, 2)
    assert AliasMover(objects, "digits", "staging").advance(second).alias.version == 2
    assert AliasMover(objects, "digits", "staging").advance(first).alias.version == 2
    assert state(objects, "staging") == (2, (), 1)


def move_between(objects: Any, monkeypatch: pytest.MonkeyPatch, move: Callable[[], object]) -> None:
    """Let somebody else move an alias just before the next move is written."""
    replace = objects.replace

    def late(key: str, data: bytes, tag: str) -> None:
        monkeypatch.setattr(objects, "replace", replace)
        move()
        replace(key, data, tag)

    monkeypatch.setattr(objects, "replace", late)


def test_two_who_promote_at_once_do_not_overwrite_each_other(
    objects: Objects, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch
):
    publish_versions(objects, 3)
    AliasMover(objects, "digits", "production").promote(1)
    move_between(
        objects, monkeypatch, lambda: AliasMover(objects, "digits", "production").promote(3)
    )
    with pytest.raises(StoreConflictError, match="moved to version 3 by somebody else meanwhile"):
        AliasMover(objects, "digits", "production").promote(2)
    assert state(objects) == (3, (1,), 2)


def test_two_who_roll_back_at_once_go_back_once(
    objects: Objects, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch
):
    publish_versions(objects, 3)
    for number in (1, 2, 3):
        AliasMover(objects, "digits", "production").promote(number)
    move_between(
        objects, monkeypatch, lambda: AliasMover(objects, "digits", "production").rollback()
    )
    with pytest.raises(StoreConflictError, match="moved to version 2 by somebody else meanwhile"):
        AliasMover(objects, "digits", "production").rollback()
    assert state(objects)[0] == 2


def test_a_publisher_that_is_overtaken_tries_again(
    objects: Objects, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch
):
    versions = publish_versions(objects, 3)
    AliasMover(objects, "digits", "staging").advance(versions[0])
    move_between(
        objects, monkeypatch, lambda: AliasMover(objects, "digits", "staging").advance(versions[1])
    )
    assert AliasMover(objects, "digits", "staging").advance(versions[2]).before == 2
    assert state(objects, "staging") == (3, (2, 1), 3)


def test_many_publishers_and_one_alias(
    request: pytest.FixtureRequest,
    address: str,
    open_store: Callable[[str], Objects],
    publish_versions: Publish,
):
    if "moto" in request.node.callspec.id:
        pytest.skip("moto checks conditions and writes in two steps")
    versions = publish_versions(open_store(address), 6)
    stores = [open_store(address) for _ in versions]
    threads = [
        threading.Thread(target=AliasMover(store, "digits", "staging").advance, args=(version,))
        for store, version in zip(stores, versions, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    version, previous, serial = state(stores[0], "staging")
    assert version == 6
    assert serial == len(previous) + 1
    assert list(previous) == sorted(previous, reverse=True)


def test_a_lost_answer_is_no_conflict(
    folder_objects: Any, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch
):
    """A client sends a request again whose answer did not come; its own write refuses it then."""
    publish_versions(folder_objects, 2)
    for method in ("create", "replace"):
        write = getattr(folder_objects, method)

        def twice(*arguments: Any, write: Any = write) -> None:
            write(*arguments)
            write(*arguments)

        monkeypatch.setattr(folder_objects, method, twice)
    AliasMover(folder_objects, "digits", "production").promote(1)
    AliasMover(folder_objects, "digits", "production").promote(2)
    assert state(folder_objects) == (2, (1,), 2)
    assert publish_versions(folder_objects, 3)[2].version.number == 5


def test_gc_that_deletes_the_version_meanwhile_is_noticed(
    folder_objects: Any, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch
):
    publish_versions(folder_objects, 1)
    create = folder_objects.create

    def late(key: str, data: bytes) -> None:
        create(key, data)
        folder_objects.delete(version_key("digits", 1))

    monkeypatch.setattr(folder_objects, "create", late)
    with pytest.raises(StoreError, match="was deleted by gc while production was moved to it"):
        AliasMover(folder_objects, "digits", "production").promote(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}", "kind is None"),
        (b'{"kind": "alias", "format": 1}', "it is alias None of None"),
        (
            b'{"kind": "alias", "format": 1, "name": "digits", "alias": "production"}',
            "damaged: it lacks 'version'",
        ),
    ],
)
def test_a_damaged_alias_is_refused_by_name(folder_objects: Objects, data: bytes, message: str):
    folder_objects.create(alias_key("digits", "production"), data)
    with pytest.raises(IntegrityError, match=message) as error:
        read_alias(folder_objects, "digits", "production")
    assert str(error.value).startswith("models/digits/aliases/production.json is damaged")


def test_the_alias_names_the_very_manifest(folder_objects: Objects, publish_versions: Publish):
    import hashlib

    publish_versions(folder_objects, 1)
    AliasMover(folder_objects, "digits", "production").promote(1)
    manifest = fetch_version(folder_objects, "digits", 1).manifest
    found = read_alias(folder_objects, "digits", "production").alias
    assert found.manifest_sha256 == hashlib.sha256(manifest).hexdigest()


def test_superseding_the_state_that_was_read(objects: Objects, publish_versions: Publish):
    first, second, third = publish_versions(objects, 3)
    assert AliasMover(objects, "digits", "production").supersede(first, None).before is None
    read = read_alias(objects, "digits", "production")
    assert AliasMover(objects, "digits", "production").supersede(second, read).before == 1
    assert state(objects) == (2, (1,), 2)

    # what was read before is history by now, even if the alias came back to the same version
    AliasMover(objects, "digits", "production").rollback()
    with pytest.raises(
        StoreConflictError,
        match="digits@production was moved to version 1 by somebody else meanwhile and stays "
        "there; `kdtasks promote digits 3 --alias production` moves it to version 3 if you still",
    ):
        AliasMover(objects, "digits", "production").supersede(third, read)
    assert state(objects) == (1, (), 3)


def test_superseding_nothing_where_there_is_something_by_now(
    objects: Objects, publish_versions: Publish
):
    first, second = publish_versions(objects, 2)
    assert AliasMover(objects, "digits", "production").current() is None
    AliasMover(objects, "digits", "production").advance(first)
    with pytest.raises(StoreConflictError, match="moved to version 1 by somebody else meanwhile"):
        AliasMover(objects, "digits", "production").supersede(second, None)
    assert state(objects)[0] == 1
