"""Aliases of signed versions: who may move them."""

from collections.abc import Callable
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreError
from kdtasks.deploy.store.address import version_key
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.records import FoundVersion, fetch_version, read_alias
from kdtasks.deploy.store.signing import SigningKey

Publish = Callable[..., list[FoundVersion]]


def test_signed_aliases(
    folder_objects: Objects,
    publish_versions: Publish,
    signing_keys: tuple[SigningKey, SigningKey],
):
    ours, theirs = signing_keys
    publish_versions(folder_objects, 2, signing_key=ours)
    AliasMover(folder_objects, "digits", "production", signing_key=ours).promote(1)
    read_alias(folder_objects, "digits", "production", trusted=(ours.public,))
    with pytest.raises(StoreError, match="is signed, and devices may refuse it without"):
        AliasMover(folder_objects, "digits", "production").promote(2)
    with pytest.raises(StoreError, match="give the key with --signing-key"):
        AliasMover(folder_objects, "digits", "production").rollback()
    with pytest.raises(IntegrityError, match=r"versions/2\.json is signed with the key"):
        AliasMover(folder_objects, "digits", "production", signing_key=theirs).promote(2)
    AliasMover(
        folder_objects, "digits", "production", signing_key=theirs, trusted=(ours.public,)
    ).promote(2)
    with pytest.raises(IntegrityError, match=r"production\.json is signed with the key"):
        read_alias(folder_objects, "digits", "production", trusted=(ours.public,))


def test_a_version_that_only_says_that_it_is_signed_gets_no_alias(
    folder_objects: Any,
    publish_versions: Publish,
    signing_keys: tuple[SigningKey, SigningKey],
):
    ours = signing_keys[0]
    publish_versions(folder_objects, 1, signing_key=ours)
    path = folder_objects.root / version_key("digits", 1)
    path.write_bytes(path.read_bytes().replace(b'"created": "2', b'"created": "1'))
    forged = fetch_version(folder_objects, "digits", 1)
    with pytest.raises(IntegrityError, match=r"the signature of .*versions/1\.json is wrong"):
        AliasMover(folder_objects, "digits", "production", signing_key=ours).advance(forged)
    with pytest.raises(IntegrityError, match=r"the signature of .*versions/1\.json is wrong"):
        AliasMover(folder_objects, "digits", "production", signing_key=ours).supersede(forged, None)
    assert list(folder_objects.list("models/digits/aliases")) == []


def test_an_unsigned_version_gets_no_signed_alias(
    folder_objects: Objects,
    publish_versions: Publish,
    signing_keys: tuple[SigningKey, SigningKey],
):
    publish_versions(folder_objects, 1)
    with pytest.raises(IntegrityError, match=r"versions/1\.json is not signed"):
        AliasMover(folder_objects, "digits", "production", signing_key=signing_keys[0]).promote(1)


def test_an_alias_is_signed_later(
    folder_objects: Objects,
    publish_versions: Publish,
    signing_keys: tuple[SigningKey, SigningKey],
):
    publish_versions(folder_objects, 1, signing_key=signing_keys[0])
    AliasMover(folder_objects, "digits", "production").promote(1)
    AliasMover(folder_objects, "digits", "production", signing_key=signing_keys[0]).promote(1)
    read_alias(folder_objects, "digits", "production", trusted=(signing_keys[0].public,))


def test_a_signed_alias_is_superseded_with_a_key_only(
    folder_objects: Objects, publish_versions: Publish, signing_keys: tuple[SigningKey, SigningKey]
):
    (version,) = publish_versions(folder_objects, 1, signing_keys[0])
    AliasMover(folder_objects, "digits", "production", signing_key=signing_keys[0]).supersede(
        version, None
    )
    read = read_alias(folder_objects, "digits", "production")
    with pytest.raises(StoreError, match="digits@production is signed"):
        AliasMover(folder_objects, "digits", "production").supersede(version, read)
