"""`kdtasks predict` on a bundle of two exits that tell dark images from bright ones."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import kdtasks.edge
from kdtasks.cli.main import app
from kdtasks.core.files import write_json
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.manifest import Manifest

SHAPE = (4, 4, 1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first exit sees the mean brightness, and is unsure of what is neither dark nor bright."""
    from kdtasks.core.backend import tf

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), tf.float32, name="image")])
        def segment_0(self, image):
            features = tf.reshape(tf.reduce_mean(image) - 128.0, (1, 1))
            return {"logits": features @ [[-0.05, 0.05]], "features_0": features}

        @tf.function(input_signature=[tf.TensorSpec((1, 1), tf.float32, name="features_0")])
        def segment_1(self, features_0):
            return {"logits": features_0 @ [[-1.0, 1.0]]}

    folder = tmp_path_factory.mktemp("bundle")
    module, keys = Network(), ["segment_0", "segment_1"]
    tf.saved_model.save(
        module, str(folder / "saved"), signatures={key: getattr(module, key) for key in keys}
    )
    content = tf.lite.TFLiteConverter.from_saved_model(
        str(folder / "saved"), signature_keys=keys
    ).convert()
    manifest = Manifest(
        name="light",
        variant="float32",
        task="classification",
        class_names=("dark", "bright [or so]"),
        input={"shape": list(SHAPE), "dtype": "uint8", "range": [0, 255]},
        segments=2,
        score="max_probability",
        temperatures=(1.0, 1.0),
        thresholds=(0.95,),
        calibration={"mode": "drop"},
        macs=(2, 4),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        dataset_sha256="0" * 64,
        parameters={},
        libraries={},
    )
    (folder / "model.tflite").write_bytes(content)
    write_json(folder / "manifest.json", manifest.to_json())
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, level in (("bright", 240), ("dark", 20), ("middle", 140)):
        PIL.Image.new("L", (9, 7), level).save(folder / f"{name}.png")
    np.save(folder / "night.npy", np.zeros(SHAPE, np.uint8))
    return folder


def predict(*words: Any) -> Any:
    return CliRunner().invoke(app, ["predict", *map(str, words)])


def test_a_table_of_labels_confidences_exits_and_times(
    bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(photos.parent)
    result = predict(bundle, "photos")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["image", "label", "confidence", "exit", "time"]
    text = re.sub(r"\s+", " ", result.stdout)
    assert re.search(r"bright\.png bright \[or so\] 100\.0 % 1 of 2 \d+\.\d\d ms", text)
    assert re.search(r"dark\.png dark 100\.0 % 1 of 2", text)
    # Brightness 140: ±0.6 at the first exit, e^1.2 to 1; ±12 at the last one.
    assert re.search(r"middle\.png bright \[or so\] 100\.0 % 2 of 2", text)
    assert re.search(r"4 images, \d+\.\d\d ms on average; left 3 at exit 1, 1 at exit 2", text)


def test_json_and_thresholds(bundle: Path, photos: Path):
    result = predict(bundle, photos / "middle.png", "--json", "--thresholds", "0.5")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    assert found.pop("milliseconds") > 0
    assert found["confidence"] == pytest.approx(1 / (1 + np.exp(-1.2)), rel=1e-4)
    first, second = found.pop("probabilities")
    assert first == {"label": "bright [or so]", "probability": found.pop("confidence")}
    assert second["label"] == "dark"
    assert found == {
        "image": str(photos / "middle.png"),
        "label": "bright [or so]",
        "class_index": 1,
        "exit_index": 0,
    }


def test_a_image_that_cannot_be_read_is_named_and_the_others_go_on(bundle: Path, photos: Path):
    (photos / "broken.png").write_bytes(b"nothing")
    result = predict(bundle, photos / "broken.png", photos / "dark.png", photos / "*.tif")
    assert result.exit_code == 1
    assert "dark.png" in result.stdout.replace("\n", "")
    assert f"error: {photos / 'broken.png'}: not readable as an image" in result.stderr
    assert f"error: {photos / '*.tif'}: no file matches" in result.stderr
    result = predict(bundle, photos / "broken.png", photos / "dark.png", "--json")
    assert result.exit_code == 1
    broken, dark = json.loads(result.stdout)
    assert broken["image"] == str(photos / "broken.png")
    assert broken["error"].startswith("not readable as an image: it begins with b'nothing'; give")
    assert dark["label"] == "dark"


def test_what_looks_like_an_image_in_a_folder_is_named_where_it_cannot_be_read(
    bundle: Path, photos: Path
):
    (photos / "phone.heic").write_bytes(b"nothing of the kind")
    (photos / "camera.NEF").write_bytes(b"II*\0")
    frames = [PIL.Image.new("L", (9, 7), level) for level in (240, 20)]
    frames[0].save(photos / "film.gif", save_all=True, append_images=frames[1:])
    result = predict(bundle, photos, "--json")
    assert result.exit_code == 1
    told = {Path(one["image"]).name: one for one in json.loads(result.stdout)}
    assert told["phone.heic"]["error"].startswith("not readable as an image: it begins with")
    assert told["camera.NEF"]["error"].startswith("a camera's raw file; export it as JPEG")
    assert told["film.gif"]["label"] == "bright [or so]"
    assert f"note: {photos / 'film.gif'} has several frames; the first" in result.stderr


def test_images_of_more_pixels_than_are_wanted_are_refused(bundle: Path, photos: Path):
    result = predict(bundle, photos / "dark.png", "--max-pixels", 62)
    assert result.exit_code == 1
    assert "more than 62 pixels" in result.stderr
    assert predict(bundle, photos / "dark.png", "--max-pixels", 63).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--thresholds", "high"], "--thresholds is 'high'; numbers with commas"),
        (["--thresholds", "0.5,0.5"], "thresholds given: 2; a model with 2 exits takes 1"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(
    bundle: Path, photos: Path, words: list[str], message: str
):
    assert message in str(predict(bundle, photos, *words).exception)


def test_a_folder_that_is_no_bundle_is_refused(photos: Path):
    told = "is no bundle, it has no manifest.json; give the folder of a bundle"
    assert told in str(predict(photos, photos).exception)


def test_a_folder_of_bundles_lists_them(bundle: Path, photos: Path, tmp_path: Path):
    folder = tmp_path / "bundles"
    for name in ("int8", "filters"):
        (folder / name).mkdir(parents=True)
        (folder / name / "manifest.json").write_bytes((bundle / "manifest.json").read_bytes())
    (folder / "refused").mkdir()
    (folder / "refused" / "manifest.json").write_text('{"refused": "too large"}')
    message = str(predict(folder, photos).exception)
    assert message == (
        f"{folder} is no bundle but holds some; give one of them: {folder}/filters, {folder}/int8"
    )


def test_the_model_is_an_attribute_of_the_package():
    assert kdtasks.edge.Classifier is Classifier
    with pytest.raises(AttributeError, match="has no attribute 'Mode'"):
        _ = kdtasks.edge.Mode


def test_the_command_needs_nothing_beyond_the_base_install(bundle: Path, photos: Path):
    script = """if True:
        import sys
        from kdtasks.cli.main import main
        sys.argv[1:1] = ["predict"]
        try:
            main()
        except SystemExit as end:
            assert end.code == 0, end.code
        heavy = {"tensorflow", "tf_keras", "PIL", "scipy", "ruamel", "dvc", "sklearn", "pydantic"}
        print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
    """
    finished = subprocess.run(
        [sys.executable, "-c", script, str(bundle), str(photos / "night.npy")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[-1] == "[]"
