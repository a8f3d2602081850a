"""Find out what is in production, or say why that cannot be known."""

from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreUnreachableError
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import Puller
from kdtasks.deploy.store.records import read_alias
from kdtasks.deploy.store.rotation import rotate
from kdtasks.deploy.store.signing import SigningKey, load_signing_key, write_new_keys
from tests.deploy.gate.conftest import Workshop


def test_no_production_yet(workshop: Workshop):
    assert workshop.production() is None
    workshop.publish(workshop.bundle(0), alias="staging")
    assert workshop.production() is None


def test_the_alias_is_given_as_it_was_read(workshop: Workshop):
    workshop.publish(workshop.bundle(0))
    production = workshop.production()
    assert production is not None
    assert production.alias == read_alias(workshop.objects, "pixels", "production")
    assert production.version.number == 1
    assert production.skipped_versions == ()


def test_a_store_that_does_not_answer_is_no_answer(workshop: Workshop, monkeypatch):
    workshop.publish(workshop.bundle(0))
    assert workshop.production() is not None

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreUnreachableError("the line is cut")

    monkeypatch.setattr("kdtasks.deploy.store.pull.read_alias", fail)
    with pytest.raises(StoreUnreachableError, match="the line is cut"):  # the cache would serve
        workshop.production()


def test_an_alias_that_moves_meanwhile_is_the_one_that_was_pulled(workshop: Workshop, monkeypatch):
    workshop.publish(workshop.bundle(0))
    workshop.publish(workshop.bundle(1, "new"), alias=None)
    pull = Puller.pull

    def move_then_pull(self: Puller, *words: Any, **options: Any) -> Any:
        AliasMover(workshop.objects, "pixels", "production").promote(2)
        return pull(self, *words, **options)

    monkeypatch.setattr(Puller, "pull", move_then_pull)
    production = workshop.production()
    assert production is not None
    assert (production.alias.alias.version, production.version.number) == (2, 2)


def test_whoever_trusts_a_key_trusts_its_successor_and_nothing_unsigned(workshop: Workshop):
    old, new = (_key(workshop.project / f"{name}.pem") for name in ("old", "new"))
    workshop.publish(workshop.bundle(0))
    with pytest.raises(IntegrityError, match="is not signed"):
        workshop.production(trusted=(old.public,))
    published = publish(workshop.objects, workshop.bundle(1, "new"), name="pixels", signing_key=new)
    AliasMover(workshop.objects, "pixels", "production", new).advance(published.found)
    with pytest.raises(IntegrityError, match=f"is signed with the key '{new.public.identity}'"):
        workshop.production(trusted=(old.public,))
    rotate(workshop.objects, old, new.public)
    production = workshop.production(trusted=(old.public,))
    assert production is not None
    assert production.version.number == 2


def _key(path: Path) -> SigningKey:
    write_new_keys(path)
    key = load_signing_key(str(path))
    assert key is not None
    return key
