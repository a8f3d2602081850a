"""The store's commands: what they print, their exit statuses, and where settings come from."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.compress.bundle.sbom import PACKED
from kdtasks.edge.bundle_files import SBOM, read_manifest
from kdtasks.orchestrate.project.origin import Origin
from kdtasks.orchestrate.project.pack import write_archive

Run = Callable[..., tuple[int, str, str]]


Bundle = Callable[..., Path]


def test_a_model_card_is_published_with_the_bundle_and_makes_no_version(
    kdtasks: Run, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    cards = iter(["# first\n", "# second\n"])

    def origin(folder: Path) -> Origin:
        provenance = {"git_revision": "c0ffee", "git_changed": False}
        return Origin(provenance, None, next(cards))

    monkeypatch.setattr("kdtasks.orchestrate.project.origin.find_origin", origin)
    assert "published digits version 1 (5 files" in kdtasks("publish", bundle())[1]
    kdtasks("pull", "digits", "--to", "device")
    assert Path("device/card.md").read_text() == "# first\n"
    assert kdtasks("publish", bundle())[1].startswith("unchanged: digits version 1 has these")
    assert "card.md" not in {file.name for file in bundle().iterdir()}


def test_from_publishing_to_rolling_back(kdtasks: Run, bundle: Bundle, tmp_path: Path):
    status, output, _ = kdtasks("models")
    assert (status, output) == (1, "")
    status, output, _ = kdtasks("publish", bundle("1"), "--alias", "staging")
    assert status == 0
    first, second = output.splitlines()
    assert first.startswith("published digits version 1 (4 files, 1.7 kB; 1.7 kB uploaded)")
    assert second == "digits@staging is set to version 1"
    assert kdtasks("publish", bundle("1"))[1].startswith("unchanged: digits version 1 has these")
    assert kdtasks("publish", bundle("2"), "--alias", "staging")[1].endswith(
        "digits@staging is moved from version 1 to 2\n"
    )
    assert kdtasks("promote", "digits", 1, "--alias", "production")[:2] == (
        0,
        "digits@production is set to version 1\n",
    )
    kdtasks("promote", "digits", 2, "--alias", "production")
    assert kdtasks("promote", "digits", 2, "--alias", "production")[1] == (
        "digits@production is at version 2\n"
    )
    assert kdtasks("rollback", "digits", "--alias", "production")[:2] == (
        0,
        "digits@production is moved from version 2 to 1\n",
    )
    assert kdtasks("models")[1] == (
        "model   newest  versions  aliases\ndigits  2       2         production=1 staging=2\n"
    )
    lines = kdtasks("models", "digits")[1].splitlines()
    assert lines[0].split() == [
        *("version", "published", "size", "variant", "signed", "with", "aliases"),
    ]
    assert [line.split()[0] for line in lines[1:]] == ["2", "1"]
    assert lines[1].endswith("int8                  staging")
    status, output, errors = kdtasks("pull", "digits@production", "--to", "device")
    assert (status, output) == (0, f"{tmp_path / 'device'}\n")
    assert errors == "digits version 1 (1.7 kB; 1.7 kB downloaded)\n"
    assert read_manifest(tmp_path / "device").variant == "int8"


def test_what_has_no_bill_of_materials_is_published_with_one(kdtasks: Run, bundle: Bundle):
    (bundle() / SBOM).unlink()
    kdtasks("publish", "bundle")
    assert "unchanged" in kdtasks("publish", "bundle")[1]
    kdtasks("pull", "digits", "--to", "device")
    assert PACKED in Path("device", SBOM).read_text()
    assert not Path("bundle", SBOM).exists()
    Path("bundle", SBOM).write_text("{}")
    assert "unchanged" in kdtasks("publish", "bundle")[1]


def test_a_bundle_in_one_file_is_published_as_its_files(
    kdtasks: Run, bundle: Bundle, tmp_path: Path
):
    folder = bundle("1", provenance={"git_revision": "1234", "git_changed": True})
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_archive(tmp_path / "it.kdz", files)
    assert "published digits version 1 (4 files" in kdtasks("publish", "it.kdz")[1]
    assert kdtasks("publish", folder)[1].startswith("unchanged: digits version 1 has these")
    kdtasks("pull", "digits", "--to", "device")
    pulled = {path.name: path.read_bytes() for path in (tmp_path / "device").iterdir()}
    version = json.loads(pulled.pop(".kdtasks-version.json"))
    assert pulled == files
    assert "1234 with changes" in json.dumps(version)
    (tmp_path / "it.kdz").write_bytes(b"PK")
    status, _, errors = kdtasks("publish", "it.kdz")
    assert status == 1
    assert "is no whole .kdz file" in errors


def test_pull_prints_the_folder_alone(kdtasks: Run, bundle: Bundle):
    """So that a script can say `kdtasks run-it $(kdtasks pull digits@production)`."""
    kdtasks("publish", bundle())
    status, output, errors = kdtasks("pull", "digits")
    assert status == 0
    assert (Path(output.strip()) / "model.tflite").read_bytes() == b"1" * 1000
    assert kdtasks("pull", "digits") == (0, output, "digits version 1 (1.7 kB; unchanged)\n")
    assert "downloaded" in errors


def test_pull_without_a_network(kdtasks: Run, bundle: Bundle, tmp_path: Path):
    kdtasks("publish", bundle())
    _, folder, _ = kdtasks("pull", "digits")
    (tmp_path / "store").rename(tmp_path / "away")
    status, output, errors = kdtasks("pull", "digits")
    assert (status, output) == (0, folder)
    warning, line = errors.splitlines()
    assert warning.startswith("warning: the store's folder")
    assert warning.endswith(
        "was not found; mount it, or correct the address; the cache serves meanwhile"
    )
    assert line == "digits version 1 (1.7 kB; unchanged)"
    status, output, errors = kdtasks("pull", "digits", "--offline")
    assert (status, output, errors) == (0, folder, "digits version 1 (1.7 kB; unchanged)\n")
    status, _, errors = kdtasks("pull", "letters", "--offline")
    assert (status, errors) == (
        1,
        "error: only the cache was used; letters was not pulled from there before\n",
    )


def test_a_name_of_its_own(kdtasks: Run, bundle: Bundle):
    assert "published letters version 1" in kdtasks("publish", bundle(), "--name", "letters")[1]


def test_what_is_no_bundle_is_not_published(kdtasks: Run, bundle: Bundle, tmp_path: Path):
    assert "is no bundle, it has no manifest.json" in kdtasks("publish", tmp_path)[2]
    for changes, message in (
        ({"refused": "too large"}, "its variant could not be built: too large"),
        ({"sha256": "0" * 64}, "manifest.json says 000"),
    ):
        status, output, errors = kdtasks("publish", bundle(**changes))
        assert (status, output) == (1, "")
        assert message in errors
        assert errors.count("\n") == 1
    assert "no bundle but holds some; give one of them: " in kdtasks("publish", tmp_path)[2]
    (bundle() / "model.tflite").unlink()
    assert "model.tflite not found" in kdtasks("publish", tmp_path / "bundle")[2]
    assert kdtasks("models")[1] == "no models yet; kdtasks publish adds one\n"
    assert not (tmp_path / "store" / "blobs").exists()


def test_gc(kdtasks: Run, bundle: Bundle):
    for text in ("1", "2", "3"):
        kdtasks("publish", bundle(text))
    words = ("gc", "--keep", 1, "--grace-hours", 0)
    assert kdtasks("gc")[1] == "deleted 0 versions, 0 contents of 0 bytes\n"
    would = "would delete digits version 1\nwould delete digits version 2\n"
    assert kdtasks(*words, "--dry-run")[1].startswith(would + "would delete 2 versions, 4 contents")
    assert kdtasks(*words)[1].startswith("deleted digits version 1\ndeleted digits version 2\n")
    assert kdtasks(*words)[1] == "deleted 0 versions, 0 contents of 0 bytes\n"
    assert kdtasks("gc", "--keep", 0)[0] == 2


def test_signing(kdtasks: Run, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    kdtasks("publish", bundle("0"))
    status, output, _ = kdtasks("keys", "new", "key.pem")
    assert status == 0
    identity = output.split()[1].strip(":")
    assert output == (
        f"key {identity}: key.pem signs, keep it secret; key.pub.pem is for devices\n"
    )
    monkeypatch.setenv("KDTASKS_PUBLIC_KEY", "key.pub.pem")
    status, output, errors = kdtasks("pull", "digits")
    assert (status, output) == (1, "")
    assert errors.startswith("error: models/digits/versions/1.json is not signed, and only what")
    kdtasks("publish", bundle("1"), "--signing-key", "key.pem", "--alias", "production")
    assert kdtasks("pull", "digits@production")[0] == 0
    assert identity in kdtasks("models", "digits")[1]
    for what in ("set to", "at"):
        assert kdtasks("promote", "digits", 2, "--alias", "edge")[1] == (
            f"digits@edge is {what} version 2; the version is signed and the alias is not, so that "
            "devices with a key refuse it: kdtasks promote digits 2 --alias edge with "
            "--signing-key or KDTASKS_SIGNING_KEY signs it\n"
        )
    assert kdtasks("pull", "digits@edge")[0] == 1
    signed = kdtasks("promote", "digits", 2, "--alias", "edge", "--signing-key", "key.pem")
    assert signed[1] == "digits@edge is at version 2\n"
    assert kdtasks("pull", "digits@edge")[0] == 0
    status, _, errors = kdtasks("publish", bundle("2"), "--alias", "production")
    assert (status, errors[:54]) == (1, "error: digits@production is signed, and devices may re")
    assert kdtasks("models", "digits")[1].count("int8") == 2
    monkeypatch.setenv("KDTASKS_SIGNING_KEY", (tmp_path / "key.pem").read_text())
    assert kdtasks("publish", bundle("2"), "--alias", "production")[0] == 0
    assert kdtasks("rollback", "digits", "--alias", "production")[0] == 0
    assert kdtasks("pull", "digits@production")[0] == 0
    assert kdtasks("keys", "new", "key.pem")[0] == 1


def test_ctrl_c_is_one_line(kdtasks: Run, bundle: Bundle, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kdtasks.deploy.store.publish.publish", interrupt)
    assert kdtasks("publish", bundle()) == (
        130,
        "",
        "interrupted; publishing again resumes from here\n",
    )
    monkeypatch.setattr("kdtasks.deploy.store.pull.Puller.pull", interrupt)
    assert kdtasks("pull", "digits")[::2] == (
        130,
        "interrupted; the same command resumes from here\n",
    )


def test_without_a_store(kdtasks: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KDTASKS_STORE")
    status, _, errors = kdtasks("models")
    assert status == 1
    assert errors.startswith("error: no store is named; give --store, set KDTASKS_STORE, or set")
    assert kdtasks("models", "--store", "gs://bucket")[2].startswith("error: 'gs://bucket' is no")


def test_the_receipt_says_what_is_on_a_device(kdtasks: Run, bundle: Bundle, tmp_path: Path):
    kdtasks("publish", bundle())
    kdtasks("pull", "digits", "--to", "device")
    receipt = json.loads((tmp_path / "device" / ".kdtasks-version.json").read_text())
    assert (receipt["name"], receipt["version"]) == ("digits", 1)
    (tmp_path / "device" / "mine").touch()
    kdtasks("publish", bundle("2"))
    status, _, errors = kdtasks("pull", "digits", "--to", "device")
    assert status == 1
    assert "device holds mine, which no pull put there; give another folder" in errors


def test_a_key_is_rotated_and_an_alias_expires(
    kdtasks: Run, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    for name in ("old", "new"):
        kdtasks("keys", "new", f"{name}.pem")
    published = kdtasks("publish", bundle(), "--alias", "live", "--signing-key", "old.pem")
    assert "expires" not in published[1]
    status, output, errors = kdtasks(
        "keys", "rotate", "--signing-key", "old.pem", "--to", "new.pub.pem"
    )
    assert (status, errors) == (0, "")
    first, second = output.splitlines()
    assert re.fullmatch("key [0-9a-f]{16} is succeeded by [0-9a-f]{16}", first)
    command = "kdtasks promote digits 1 --alias live"
    assert second == f"sign with the new key: {command}"
    monkeypatch.setenv("KDTASKS_SIGNING_KEY", "new.pem")
    status, output, _ = kdtasks(
        *command.split()[1:], "--public-key", "old.pub.pem", "--expires", "30"
    )
    assert status == 0
    assert re.search(r"digits@live is at version 1, and expires at \d{4}-\d\d-\d\d .* UTC", output)
    assert kdtasks("pull", "digits@live", "--public-key", "old.pub.pem")[0] == 0
    for words, message in (
        (("keys", "rotate", "--signing-key", "old.pem", "--to", "old.pub.pem"), "succeed itself"),
        (("keys", "rotate", "--signing-key", "", "--to", "new.pub.pem"), "takes the old private"),
        (("publish", bundle("2"), "--expires", "30"), "--expires is of an alias"),
    ):
        status, _, errors = kdtasks(*words)
        assert status == 1
        assert message in errors


def test_an_alias_that_cannot_be_is_refused_before_anything_is_published(
    kdtasks: Run, bundle: Bundle
):
    status, _, errors = kdtasks("publish", bundle("1"), "--alias", "Prod!")
    assert status == 1
    assert "'Prod!' is no alias; allowed are" in errors
    assert kdtasks("models", "digits")[2].startswith("error: the store has no model digits")
