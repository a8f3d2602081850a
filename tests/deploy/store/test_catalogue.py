from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import IntegrityError, StoreMissingError
from kdtasks.deploy.store.address import version_key
from kdtasks.deploy.store.catalogue import fetch_versions, list_models
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish


def test_models_versions_and_aliases(objects: Objects, write_files: Callable[..., Path]):
    assert list_models(objects) == []
    for number in range(3):
        publish(objects, write_files({"n": b"%d" % number}), name="digits")
    publish(objects, write_files({}), name="letters")
    AliasMover(objects, "digits", "production").promote(2)
    AliasMover(objects, "digits", "canary").promote(2)
    digits, letters = list_models(objects)
    assert (digits.name, letters.name) == ("digits", "letters")
    assert list(digits.versions) == [1, 2, 3]
    assert digits.aliases_of(2) == ["canary", "production"]
    assert digits.aliases_of(3) == []
    assert list_models(objects, "letters") == [letters]


def test_a_model_that_is_not_there(folder_objects: Objects):
    with pytest.raises(StoreMissingError, match="the store has no model digits; `kdtasks models`"):
        list_models(folder_objects, "digits")


def test_manifests_that_are_gone_are_left_out_and_damaged_ones_named(
    folder_objects: Objects, write_files: Callable[..., Path]
):
    for content in (b"1", b"2"):
        publish(folder_objects, write_files({"n": content}), name="digits")
    models = list_models(folder_objects)
    folder_objects.delete(version_key("digits", 2))
    assert list(fetch_versions(folder_objects, models)) == [("digits", 1)]
    folder_objects.create(version_key("digits", 2), b"{}")
    with pytest.raises(IntegrityError, match=r"models/digits/versions/2\.json is damaged"):
        fetch_versions(folder_objects, models)
