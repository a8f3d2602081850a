"""`kdtasks data` says what it found and what to do, and leaves everything as it is."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from kdtasks.cli.main import app
from kdtasks.core.errors import DatasetError
from tests.tools.complete_params import complete_params
from tests.tools.public_datasets import write_cityscapes, write_kaggle, write_pets


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten cats and dogs each of one scene in fives, a copy under another class, a broken file."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 256, (32, 40, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    Image.fromarray(pixels).save(tmp_path / "pets/cat/copy of a dog.png")
    (tmp_path / "pets/cat/broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path / "pets"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, words)])


def test_a_folder_is_told_in_the_terminal(photos: Path):
    before = sorted(photos.rglob("*"))
    result = run(photos)
    assert result.exit_code == 1  # prepare would stop at the problems
    lines = result.stdout.splitlines()
    assert lines[0].startswith("pets: 19 images of 2 classes: ")
    assert "  layout: one folder a class" in lines
    assert "  21 files: PNG 21; all are 40 × 32 pixels" in lines
    assert next(line for line in lines if line.startswith("cat")).split()[0] == "cat"
    assert (
        "warning: 3 problems stop prepare, see below; fix them, or set data.on_bad: skip" in lines
    )
    assert "1 pair of copies, 1 under two labels, 0 in two given splits" in lines
    assert "  cat/copy of a dog.png = dog/9.png (cat, dog)" in lines
    assert "  cat/broken.jpg: not readable as an image" in lines
    assert lines[-7:-2] == [
        "put into params.yaml",
        "  data:",
        "    source:",
        "      name: image_folder",
        f"    path: {photos}",
    ]
    assert sorted(photos.rglob("*")) == before


def test_layouts_are_found_out_as_by_init(tmp_path: Path):
    """`init` is held to these layouts in tests/orchestrate/create/test_public_datasets.py."""
    pets = run(write_pets(tmp_path / "pets"), "--json")
    data = json.loads(pets.stdout)["params"]["data"]
    lists = {"test": "annotations/test.txt", "train": "annotations/trainval.txt"}
    assert data["source"] == {"name": "file_names", "images": "images", "lists": lists}
    dogs = run(write_kaggle(tmp_path / "dogs"))
    unlabelled = tmp_path / "dogs/test"
    assert f"  no row names an image in {unlabelled}, so it is data.unlabelled" in dogs.stdout
    assert f"\n    unlabelled: {unlabelled}\n" in dogs.stdout
    city = write_cityscapes(tmp_path / "city")
    refused = run(city)
    assert isinstance(refused.exception, DatasetError)
    assert f"--images {city / 'leftImg8bit'} --masks {city / 'gtFine'}" in str(refused.exception)
    streets = run(city / "leftImg8bit", "--masks", city / "gtFine", "--json")
    data = json.loads(streets.stdout)["params"]["data"]
    assert data["path"] == str(city)
    assert (data["source"]["images"], data["source"]["masks"]) == ("leftImg8bit", "gtFine")


def test_json_holds_all_of_it(photos: Path):
    (photos / "cat/broken.jpg").unlink()
    (photos / "cat/copy of a dog.png").unlink()
    result = run(photos, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["class_names"] == ["cat", "dog"]
    assert sum(split["total"] for split in found["counts"].values()) == 20
    assert found["findings"]["formats"] == {"PNG": 20}
    assert (found["problems"], found["refused"], found["uneven"]) == (0, None, None)
    assert found["params"] == {"data": {"source": {"name": "image_folder"}, "path": str(photos)}}


def test_what_prepare_would_refuse_is_said_after_what_there_is(photos: Path):
    for number in range(2, 10):
        (photos / f"dog/{number}.png").unlink()
    result = run(photos)
    assert result.exit_code == 1
    assert "pets: " in result.stdout
    assert "prepare would refuse it: a class has too few independent images" in result.stdout
    assert "class dog: 2, 2 more" in result.stdout


def test_the_page_is_written_where_it_is_asked_for(photos: Path, tmp_path: Path):
    result = run(photos, "--html", tmp_path / "data.html")
    page = (tmp_path / "data.html").read_text(encoding="utf-8")
    assert "The data: pets" in page
    assert page.count("data:image/") > 19
    assert result.stdout.splitlines()[-1] == f"{tmp_path / 'data.html'} shows the images"


def test_masks_are_told_by_pixels(tmp_path: Path):
    generator = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number in range(8):
        pixels = generator.integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
        mask = np.zeros((64, 64), np.uint8)
        mask[:16] = 255
        Image.fromarray(mask).save(tmp_path / f"masks/{number}.png")
    result = run(tmp_path, "--masks", "masks")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    header = next(row for row in rows if row[:1] == ["pixels"])
    assert header[-3:] == ["of", "labelled", "images"]
    object_row = next(row for row in rows if row[:1] == ["object"])
    assert object_row[-3:] == ["25.0", "%", "8"]
    assert "object: 255" in result.stdout


@pytest.mark.usefixtures("photos")
def test_masks_need_a_path():
    result = run("--masks", "masks")
    assert result.exit_code == 2
    assert "--masks and --task say how to read PATH; give it" in result.output


def test_without_a_path_it_is_what_params_say(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "params.yaml").write_text(complete_params("flowers"), encoding="utf-8")
    (tmp_path / "data").mkdir()
    photos.rename(tmp_path / "data/raw")
    monkeypatch.setattr("kdtasks.cli.data.find_project", lambda: tmp_path)
    result = run()
    assert result.exit_code == 0, result.output  # the recipe skips bad files
    assert result.stdout.startswith("flowers: 19 images of 2 classes")
    assert "put into params.yaml" not in result.stdout
