import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.core.errors import BundleError, StoreError
from kdtasks.deploy.store import objects as source_module
from kdtasks.deploy.store.address import BLOBS, blob_key
from kdtasks.deploy.store.objects import PART_BYTES, Claim, Objects
from kdtasks.deploy.store.publish import model_claim, publish_files, read_folder
from kdtasks.deploy.store.pull import Pulled
from kdtasks.deploy.store.version import list_numbers

FILES = {"model.tflite": b"model", "labels.txt": b"a\nb\n", "more/notes.txt": b""}
LARGE = os.urandom(PART_BYTES + 10)


def claim_of(content: bytes) -> Claim:
    return Claim("model.tflite", hashlib.sha256(content).hexdigest(), "manifest.json")


def test_links_to_files_are_followed(tmp_path: Path, write_files: Callable[..., Path]):
    """DVC may link its outputs into its cache."""
    folder = write_files(FILES)
    (tmp_path / "outside").write_bytes(b"linked")
    (folder / "link").symlink_to(tmp_path / "outside")
    assert read_folder(folder)["link"].size == 6


def test_what_cannot_be_published(tmp_path: Path, write_files: Callable[..., Path]):
    folder = write_files(FILES)
    with pytest.raises(StoreError, match="none is no folder; give the folder of a bundle"):
        read_folder(tmp_path / "none")
    (folder / "loop").symlink_to(folder)
    with pytest.raises(StoreError, match="loop cannot be published: it is a link to a folder"):
        read_folder(folder)
    (folder / "loop").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match=r"pipe cannot be published: .* or no file"):
        read_folder(folder)
    (folder / "pipe").unlink()
    (folder / "a:b").touch()
    with pytest.raises(StoreError, match="a:b cannot be published: it has a backslash, a colon"):
        read_folder(folder)
    (folder / "a:b").unlink()
    (folder / "Model.tflite").touch()
    with pytest.raises(StoreError, match="are the same file"):
        read_folder(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="it is empty"):
        read_folder(tmp_path / "empty")


@pytest.mark.parametrize("sha256", ["0" * 63, "../secret", 7, None, "A" * 64])
def test_what_is_no_hash_claims_nothing(sha256: Any):
    manifest: Any = SimpleNamespace(sha256=sha256)
    assert model_claim(manifest) is None


def test_a_manifest_claims_the_hash_of_the_model():
    manifest: Any = SimpleNamespace(sha256="ab" * 32)
    assert model_claim(manifest) == Claim("model.tflite", "ab" * 32, "manifest.json")


def test_a_small_file_is_hashed_whatever_is_claimed(write_files: Callable[..., Path]):
    folder = write_files(FILES)
    assert read_folder(folder, claim_of(b"other")) == read_folder(folder)


def test_a_large_file_may_be_sent_before_it_is_hashed(
    objects: Objects, write_files: Callable[..., Path], pull: Callable[..., Pulled]
):
    sources = read_folder(write_files({**FILES, "model.tflite": LARGE}), claim_of(LARGE))
    assert sources["model.tflite"].hashing is not None
    published = publish_files(objects, sources, name="digits")
    assert published.uploaded == len(LARGE) + 4
    assert (pull(objects, "digits").folder / "model.tflite").read_bytes() == LARGE
    again = read_folder(write_files({}), claim_of(LARGE))
    assert not publish_files(objects, again, name="digits").is_new


@pytest.mark.parametrize("is_there", [False, True])
def test_a_claim_that_does_not_hold_is_refused_before_anything_can_be_seen(
    objects: Objects, write_files: Callable[..., Path], is_there: bool
):
    claimed = os.urandom(len(LARGE))
    if is_there:  # what the store has is not sent, and must not stand for what lies here
        folder = write_files({"model.tflite": claimed}, folder="claimed")
        publish_files(objects, read_folder(folder), name="letters")
    sources = read_folder(write_files({**FILES, "model.tflite": LARGE}), claim_of(claimed))
    with pytest.raises(
        BundleError, match=r"model\.tflite has the SHA-256 .*, manifest.json says .*; export the"
    ):
        publish_files(objects, sources, name="digits")
    assert list_numbers(objects, "digits") == []
    assert (objects.stat(blob_key(claim_of(claimed).sha256)) is not None) == is_there
    assert objects.stat(blob_key(claim_of(LARGE).sha256)) is None


def test_a_copy_of_what_is_claimed_does_not_vouch_for_the_claim(
    folder_objects: Objects, write_files: Callable[..., Path]
):
    """Two files seem to have one content, of which one is sent."""
    claimed = os.urandom(len(LARGE))
    folder = write_files({"a": claimed, "model.tflite": LARGE, "z": claimed})
    with pytest.raises(BundleError, match="export the bundle again"):
        publish_files(folder_objects, read_folder(folder, claim_of(claimed)), name="digits")
    assert list_numbers(folder_objects, "digits") == []


def test_a_file_that_changes_while_it_is_hashed(
    folder_objects: Objects, write_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    folder = write_files({"model.tflite": LARGE})

    def change(path: Path) -> str:
        path.write_bytes(LARGE + b"more")
        return claim_of(LARGE).sha256

    monkeypatch.setattr(source_module, "_hash", change)
    sources = read_folder(folder, claim_of(LARGE))
    with pytest.raises(StoreError, match="was changed while it was being published"):
        publish_files(folder_objects, sources, name="digits")
    assert list(folder_objects.list(BLOBS)) == []
