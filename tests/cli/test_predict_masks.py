"""`kdtasks predict` on a bundle of segmentation: the brightest channel is a pixel's class."""

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

from kdtasks.cli.main import app
from kdtasks.edge.segmenter import spaced_colours
from tests.tools.pixel_bundles import convert_pixel_model, write_pixel_bundle
from tests.tools.segmentation_bundles import convert_colour_model, write_colour_bundle

CLASSES = {"red": "#FF0000", "green": "#00AA00", "blue": "#0000FF"}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return convert_colour_model(tmp_path_factory.mktemp("saved"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Path:
    parameters = {"data": {"image_size": None, "source": {"classes": CLASSES}}}
    return write_colour_bundle(tmp_path_factory.mktemp("bundle"), content, parameters=parameters)


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half red, a quarter green, a quarter blue, 30×20 pixels."""
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :, 0], pixels[10:, :15, 1], pixels[10:, 15:, 2] = 200, 100, 50
    PIL.Image.fromarray(pixels).save("photo.png")
    np.save("photo.npy", pixels)
    return tmp_path / "photo.png"


@pytest.fixture
def expected() -> np.ndarray:
    classes = np.zeros((20, 30), np.uint8)
    classes[10:, :15], classes[10:, 15:] = 1, 2
    return classes


def predict(*words: Any) -> Any:
    return CliRunner().invoke(app, ["predict", *map(str, words)])


def test_a_mask_holds_classes_and_shows_their_colours(bundle, photo, expected):
    result = predict(bundle, photo.name, "--out", "masks/mask.png")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        "image",
        "size",
        "confidence",
        "fraction",
        "of",
        "each",
        "class",
        "time",
    ]
    text = re.sub(r"\s+", " ", result.stdout)
    assert re.search(
        r"photo\.png 30×20 100\.0 % red 50\.0 %, green 25\.0 %, blue 25\.0 % \d+\.\d\d ms", text
    )
    assert lines[-1] == "written: masks/mask.png"
    mask = PIL.Image.open("masks/mask.png")
    assert mask.mode == "P"
    np.testing.assert_array_equal(np.asarray(mask), expected)
    colours = np.array([[255, 0, 0], [0, 170, 0], [0, 0, 255]])
    np.testing.assert_array_equal(np.asarray(mask.convert("RGB")), colours[expected])


def test_masks_without_colours_of_their_own_get_fixed_ones(content, photo, expected, tmp_path):
    bundle = write_colour_bundle(tmp_path / "bundle", content)
    assert predict(bundle, photo.name, "--out", "mask.png").exit_code == 0
    mask = np.asarray(PIL.Image.open("mask.png").convert("RGB"))
    np.testing.assert_array_equal(mask, spaced_colours(3)[expected])


def test_fractions_as_json_without_a_file(bundle, photo):
    (photo.parent / "broken.png").write_bytes(b"nothing")
    result = predict(bundle, photo.name, "broken.png", "--json")
    assert result.exit_code == 1
    found, broken = json.loads(result.stdout)
    assert found.pop("milliseconds") > 0
    assert found == {
        "image": "photo.png",
        "size": [20, 30],
        "classes": {
            "red": {"pixels": 300, "fraction": 0.5},
            "green": {"pixels": 150, "fraction": 0.25},
            "blue": {"pixels": 150, "fraction": 0.25},
        },
        "confidence": pytest.approx(1.0),
        "exit_index": 0,
    }
    assert broken["image"] == "broken.png"
    assert broken["error"].startswith("not readable as an image: it begins with b'nothing'")
    assert f"error: broken.png: {broken['error']}" in result.stderr
    assert not list(photo.parent.glob("*mask*"))


def test_an_overlay_is_half_image_half_colour(bundle, photo, expected):
    assert predict(bundle, photo.name, "--out", "over.png", "--overlay").exit_code == 0
    over = np.asarray(PIL.Image.open("over.png"))
    assert over[0, 0].tolist() == [100 + 127, 0, 0]
    assert over[-1, 0].tolist() == [0, 50 + 85, 0]
    assert over[-1, -1].tolist() == [0, 0, 25 + 127]


def test_several_masks_go_into_a_folder(bundle, photo, expected):
    PIL.Image.open(photo).crop((0, 0, 7, 5)).save("small.bmp")
    result = predict(bundle, "photo.png", "small.bmp", "--out", "masks")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "written: 2 masks in masks"
    np.testing.assert_array_equal(np.asarray(PIL.Image.open("masks/photo.png")), expected)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open("masks/small.png")), expected[:5, :7])


def test_a_image_is_looked_at_in_the_size_of_training_images(content, photo, expected, tmp_path):
    parameters = {"data": {"image_size": [40, 60]}}
    bundle = write_colour_bundle(tmp_path / "bundle", content, parameters=parameters)
    looked_at: list[tuple[int, ...]] = []

    from kdtasks.edge.segmenter import MaskPrediction, Segmenter

    def spy(self: Segmenter, image: np.ndarray) -> MaskPrediction:
        looked_at.append(image.shape)
        return original(self, image)

    original = Segmenter.predict
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Segmenter, "predict", spy)
        assert predict(bundle, photo.name, "--out", "mask.npy").exit_code == 0
    assert looked_at == [(40, 60, 3)]
    np.testing.assert_array_equal(np.load("mask.npy"), expected)


def test_more_pixels_than_prepare_takes_are_read(bundle, photo, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    result = predict(bundle, photo.name)
    assert result.exit_code == 0, result.output
    assert PIL.Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "mask.jpg"], r"--out is mask\.jpg; \.png or \.npy was expected"),
        (["--out", "mask.npy", "--overlay"], r"--out is mask\.npy; \.png was expected"),
        (["--overlay"], "say into which one with --out"),
        (["--out", "photo.png"], "would be written to photo.png, which is photo.png"),
        (["photo.npy", "--out", "mask.png"], "mask.png, and there are 2 images; give a folder"),
        (["photo.npy", "--out", "masks"], "photo.png, which is the mask of photo.png"),
        (["--thresholds", "0.5"], "thresholds given: 1; a model with 1 exits takes 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(bundle, photo, words: list[str], message: str):
    before = photo.read_bytes()
    assert re.search(message, str(predict(bundle, photo.name, *words).exception))
    assert photo.read_bytes() == before
    assert not (photo.parent / "masks").exists()


def test_a_mask_that_cannot_be_written_is_a_problem_of_its_image(bundle, photo):
    (photo.parent / "file").write_text("in the way")
    result = predict(bundle, photo.name, "--out", "file/mask.png")
    assert result.exit_code == 1
    assert "error: photo.png: its mask cannot be written" in result.stderr


def test_classification_takes_no_masks(tmp_path, photo):
    bundle = write_pixel_bundle(tmp_path / "other", convert_pixel_model(0, tmp_path / "saved"))
    for words in (["--out", "mask.png"], ["--overlay"]):
        message = str(predict(bundle, photo.name, *words).exception)
        assert "tells the class of whole images; --out and --overlay are for masks" in message


def test_the_command_needs_nothing_beyond_the_base_install(bundle, photo, expected):
    script = """if True:
        import sys
        from kdtasks.cli.main import app
        try:
            app(["predict", *sys.argv[1:]])
        except SystemExit as end:
            assert end.code == 0, end.code
        heavy = {"tensorflow", "tf_keras", "PIL", "scipy", "ruamel", "dvc"}
        # Params need pydantic, which typer loads where it happens to be installed.
        print(sorted(heavy & {name.split(".")[0] for name in sys.modules})
              + [name for name in sys.modules if name.startswith("kdtasks.params")])
    """
    finished = subprocess.run(
        [sys.executable, "-c", script, str(bundle), "photo.npy", "--out", "mask.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[-1] == "[]"
    np.testing.assert_array_equal(np.load("mask.npy"), expected)
