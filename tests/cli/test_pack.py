"""`kdtasks pack`: one file, its origin, and who can read it."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from kdtasks.compress.bundle.sbom import PACKED, TOLD
from kdtasks.compress.tflite.metadata import embed_manifest
from kdtasks.core.errors import BundleError
from kdtasks.core.files import write_json
from kdtasks.edge.bundle_files import SBOM, open_bundle_files, read_manifest
from kdtasks.edge.classifier import Classifier
from kdtasks.orchestrate.project.origin import find_origin, folder_hash
from kdtasks.orchestrate.project.pack import pack
from tests.tools.pixel_bundles import write_pixel_bundle


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def bundle(tmp_path: Path, pixel_models: tuple[bytes, bytes]) -> Path:
    """A bundle in a project after its pipeline: committed, in dvc.lock, and judged."""
    folder = write_pixel_bundle(tmp_path / "bundles" / "float32", pixel_models[0])
    judged = tmp_path / "metrics" / "evaluate" / "float32.json"
    judged.parent.mkdir(parents=True)
    write_json(judged, {"rows": 100, "accuracy": 0.9, "interval": [0.8, 0.95], "cost": 0.5})
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    write_lock(tmp_path)
    for words in (["init", "-q"], ["add", "dvc.yaml"], ["commit", "-qm", "all"]):
        git(tmp_path, *words)
    return folder


def write_lock(project: Path) -> None:
    bundle, judged = "bundles/float32", "metrics/evaluate/float32.json"
    made = {"path": bundle, "md5": folder_hash(project / bundle)}
    measured = {"path": judged, "md5": md5(project / judged)}
    stages = {
        "export@float32": {"cmd": "", "outs": [made]},
        "evaluate@float32": {"cmd": "", "deps": [made], "outs": [measured]},
    }
    with (project / "dvc.lock").open("w") as file:
        YAML().dump({"schema": "2.0", "stages": stages}, file)


def git(folder: Path, *words: str) -> str:
    user = ["-c", "user.name=it", "-c", "user.email=it@example.org"]
    return subprocess.run(
        ["git", *user, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_packed_bundle_knows_where_it_comes_from(bundle: Path, tmp_path: Path):
    path, manifest = pack(bundle, tmp_path / "it.kdz")
    assert read_manifest(path) == manifest
    assert manifest.provenance == {
        "git_revision": git(tmp_path, "rev-parse", "HEAD"),
        "git_changed": False,
        "dvc_lock_sha256": hashlib.sha256((tmp_path / "dvc.lock").read_bytes()).hexdigest(),
    }
    assert manifest.metrics is not None
    # Wilson for 90 of 100 at 95 %, by hand: (0.9 + 0.019207 ± 1.96 √(0.0009 + 0.000096)) / 1.038416
    assert manifest.metrics["test"]["interval"] == pytest.approx([0.8256, 0.9448], abs=1e-4)
    assert manifest.metrics["test"]["accuracy"] == 0.9
    image = np.array([[[200], [40]]], np.uint8)
    assert Classifier.load(path).predict(image)[:4] == Classifier.load(bundle).predict(image)[:4]
    (tmp_path / "dvc.yaml").write_text("stages: {more: {}}\n")
    changed = pack(bundle, tmp_path / "it.kdz")[1].provenance
    assert changed
    assert changed["git_changed"] is True


def test_a_card_of_just_these_scores_goes_with_the_bundle(bundle: Path, tmp_path: Path):
    judged = tmp_path / "metrics" / "evaluate" / "float32.json"
    card = tmp_path / "report" / "card.md"
    card.parent.mkdir()
    card.write_text("# Model card\n\n- scores: of others\n")
    with open_bundle_files(pack(bundle, tmp_path / "it.kdz")[0]) as contents:
        assert "card.md" not in contents.names
    told = f"# Model card\n\n- scores: `{hashlib.sha256(judged.read_bytes()).hexdigest()}`\n"
    card.write_text(told)
    path, manifest = pack(bundle, tmp_path / "it.kdz")
    assert manifest.provenance
    with open_bundle_files(path) as contents:
        shipped = contents.read("card.md").decode()
    assert shipped == (
        f"{told}- commit: `{manifest.provenance['git_revision']}`\n"
        f"- `dvc.lock`, SHA-256: `{manifest.provenance['dvc_lock_sha256']}`\n"
    )
    assert Classifier.load(path).predict(np.array([[[200], [40]]], np.uint8)).label == "bright"
    assert pack(path, tmp_path / "again.kdz")[0].read_bytes() == path.read_bytes()
    assert "card.md" not in {file.name for file in bundle.iterdir()}


def test_the_same_bundle_gives_the_same_bytes(bundle: Path, tmp_path: Path):
    (bundle / SBOM).write_text("{}")
    first, _ = pack(bundle, tmp_path / "first.kdz")
    second, _ = pack(bundle, tmp_path / "second.kdz")
    assert first.read_bytes() == second.read_bytes()
    again, _ = pack(first, tmp_path / "again.kdz")
    assert again.read_bytes() == first.read_bytes()
    with open_bundle_files(again) as contents:
        assert contents.read(SBOM) == b"{}"


def test_what_has_no_bill_of_materials_gets_one_that_says_whose(bundle: Path, tmp_path: Path):
    def environment(path: Path) -> str:
        with open_bundle_files(path) as contents:
            told = json.loads(contents.read(SBOM))["metadata"]["properties"]
        return str(told[0]["value"])

    assert environment(pack(bundle, tmp_path / "it.kdz")[0]) == PACKED
    assert not (bundle / SBOM).exists()
    content = json.loads((bundle / "manifest.json").read_text())
    write_json(bundle / "manifest.json", {**content, "libraries": {"tensorflow": "2.0.1"}})
    assert environment(pack(bundle, tmp_path / "it.kdz")[0]) == TOLD


def test_nothing_is_claimed_that_the_lock_does_not_say(bundle: Path, tmp_path: Path):
    judged = tmp_path / "metrics" / "evaluate" / "float32.json"
    write_json(judged, {"rows": 100, "accuracy": 1.0, "cost": 0.5})  # by hand
    origin = find_origin(bundle)
    assert origin is not None
    assert origin.test is None
    (bundle / "labels.txt").write_text("other\n")
    assert find_origin(bundle) is None
    assert pack(bundle, tmp_path / "it.kdz")[1] == read_manifest(bundle)
    (tmp_path / "dvc.lock").unlink()
    assert find_origin(bundle) is None


def test_outside_of_git_the_revision_is_unknown(bundle: Path, tmp_path: Path):
    (tmp_path / ".git").rename(tmp_path / "git")
    origin = find_origin(bundle)
    assert origin is not None
    assert (origin.provenance["git_revision"], origin.provenance["git_changed"]) == (None, None)


def test_the_hash_of_a_folder_is_dvcs(tmp_path: Path):
    from dvc.repo import Repo

    with Repo.init(str(tmp_path), no_scm=True) as repo:
        for name in ("b.txt", "a/deep.txt", "a.txt", "größe.txt"):
            path = tmp_path / "folder" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        repo.add(str(tmp_path / "folder"))
    added = YAML(typ="safe").load((tmp_path / "folder.dvc").read_text())
    assert folder_hash(tmp_path / "folder") == added["outs"][0]["md5"]


def test_a_model_alone_can_be_packed(
    tmp_path: Path, pixel_models: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
):
    plain = write_pixel_bundle(tmp_path / "bundle", pixel_models[0])
    (tmp_path / "it.tflite").write_bytes(embed_manifest(pixel_models[0], read_manifest(plain)))
    monkeypatch.chdir(tmp_path)
    path, _ = pack(tmp_path / "it.tflite")
    assert path == Path("pixels-float32.kdz")
    assert Classifier.load(path).predict(np.array([[[200], [40]]], np.uint8)).label == "bright"


def test_what_cannot_be_packed_is_refused(bundle: Path, tmp_path: Path):
    with pytest.raises(BundleError, match=r"to be called .*it\.zip; give it the ending \.kdz"):
        pack(bundle, tmp_path / "it.zip")
    path, _ = pack(bundle, tmp_path / "it.kdz")
    with pytest.raises(BundleError, match="is that bundle itself; give --out another name"):
        pack(path, path)
    content = json.loads((bundle / "manifest.json").read_text())
    write_json(bundle / "manifest.json", {**content, "sha256": "0" * 64})
    with pytest.raises(BundleError, match=r"model\.tflite has the SHA-256"):
        pack(bundle, tmp_path / "other.kdz")
    assert not (tmp_path / "other.kdz").exists()
