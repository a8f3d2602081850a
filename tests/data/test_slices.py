"""Which slice each test image belongs to, from a table's column to the rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdtasks.core.errors import DatasetError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepared import open_prepared
from kdtasks.data.settings import DataParams
from kdtasks.data.slices import read_parts, slice_rows
from kdtasks.params import Params, load_params
from stages import prepare

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"


def test_a_column_names_the_slice_of_each_image(
    tmp_path: Path, photos: Callable[..., Path], data_params: Callable[..., DataParams]
) -> None:
    root = photos("a.png", "b.png", "c.png")
    table = "id,label,camera\na,cat,left\nb,dog,right\nc,dog,left\nc,dog,right\n"
    (root / "labels.csv").write_text(table, encoding="utf-8")
    source = {"name": "table", "columns": {"slice": "camera"}}
    params = data_params(source, path=str(root), image_size=[8, 8])
    slices = params.source.slices(root)
    assert slices == {"a.png": "camera=left", "b.png": "camera=right"}
    plain = data_params({"name": "table"}, path=str(root), image_size=[8, 8]).source
    assert plain.slices(root) == {}
    # What stands in dataset.json is the same, or everything would be trained again.
    for told in ("layout_found", "warnings"):
        assert getattr(params.source, told)(root) == getattr(plain, told)(root)
    path = tmp_path / "slices.json"
    slice_rows(["c.png", "b.png", "a.png"], slices, "classification").write(path)
    parts = read_parts(path)
    assert list(parts) == ["camera=left", "camera=right"]
    np.testing.assert_array_equal(parts["camera=right"], [False, True, False])


def test_most_sources_tell_none(tmp_path: Path) -> None:
    slice_rows(["a.png"], {}, "segmentation").write(tmp_path / "slices.json")
    assert read_json(tmp_path / "slices.json") == {}
    assert read_parts(tmp_path / "slices.json") == {}
    assert read_parts(tmp_path / "not-there.json") == {}


def test_names_and_masks_are_no_slices() -> None:
    patients = {f"{number}.png": f"patient={number}" for number in range(51)}
    with pytest.raises(DatasetError, match="51 values among the test images, such as patient=0"):
        slice_rows(["untold.png", *patients], patients, "classification")
    with pytest.raises(DatasetError, match="masks are scored on corruptions and folders alone"):
        slice_rows(["0.png"], patients, "segmentation")


def test_a_column_that_is_not_there_is_refused(
    photos: Callable[..., Path], data_params: Callable[..., DataParams]
) -> None:
    root = photos("a.png", "b.png")
    (root / "labels.csv").write_text("id,label\na,cat\nb,dog\n", encoding="utf-8")
    source = {"name": "table", "columns": {"slice": "camera"}}
    params = data_params(source, path=str(root), image_size=[8, 8])
    with pytest.raises(DatasetError, match=r"source\.columns\.slice: there is no column 'camera'"):
        params.source.slices(root)


def test_prepare_writes_them_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "data/raw-unlabelled"):
        Path(folder).mkdir(parents=True)
    draw, lines = np.random.default_rng(0), ["id,label,camera"]
    for number in range(40):
        pixels = draw.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(f"photos/{number}.png")
        lines.append(f"{number},{'cat' if number % 2 else 'dog'},{'left' if number < 20 else ''}")
    Path("photos/labels.csv").write_text("\n".join(lines), encoding="utf-8")
    content = load_params(RECIPE).model_dump()
    content["data"] |= {
        "source": {"name": "table", "columns": {"slice": "camera"}},
        "path": "photos",
        "image_size": [8, 8],
        "channels": 1,
        "train_labels": None,
        "near_copies": False,
        "split": {"train": 0.25, "validation": 0.25, "calibration": 0.25, "test": 0.25},
    }
    paths = ProjectPaths()
    prepare.main(Params.model_validate(content), paths)
    [(name, rows)] = read_parts(paths.slices).items()
    names = open_prepared(paths.prepared).names("test")
    assert name == "camera=left"
    assert [int(Path(each).stem) < 20 for each in names] == rows.tolist()
    assert 0 < rows.sum() < len(rows)
    assert f"slice camera=left: {rows.sum()} test images" in capsys.readouterr().out
