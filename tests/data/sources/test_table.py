"""Tables as people have them: which column is which, which image a row means, what is wrong."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from kdtasks.core.errors import DatasetError
from kdtasks.data.labels import training_set
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from tests.data.sources.conftest import classes_of, write_table

Photos = Callable[..., Path]
Load = Callable[..., RawDataset]
EXPECTED = {"a.png": "cat", "deep/b.png": "dog"}


@pytest.fixture
def load(load_source: Load) -> Load:
    return partial(load_source, "table")


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.png,cat\ndeep/b.png,dog\n",
        "id,breed\na,cat\nb,dog\n",
        "\ufeffFile Name;Class\na.png;cat\nb.png;dog\n",
        "image_id\ttarget\na\tcat\nb\tdog\n",
        "category|filename\ncat| a.PNG\n dog |deep\\b.png\n",
        "image,label\n./images/a.png,cat\nimages/deep/b.png,dog\n\n",
        "image,cat,dog\na,1.0,0.0\nb,0,1\n",
        "Image Index,Finding\na.png,cat\nb.png,dog\n",
        'id,note,label\na,"one, two\nthree",cat\nb,,dog\n',
    ],
)
def test_columns_and_images_are_found(text: str, photos: Photos, load: Load) -> None:
    root = photos("a.png", "deep/b.png")
    write_table(root, text)
    assert classes_of(load(root)) == EXPECTED


def test_what_was_found_is_said(photos: Photos, load: Load) -> None:
    root = photos("a.png", "b.png", "c.png", "more/d.png")
    write_table(root, "id,age,breed\na,3,cat\nb,4,dog\n")
    found, surplus = load(root).notes
    assert found == "table labels.csv: image in 'id', label in 'breed'; not used: 'age'"
    assert surplus.startswith("2 images in no row are left out, such as c.png; in the folder of")


def test_columns_can_be_named(photos: Photos, load: Load) -> None:
    root = photos("a.png", "b.png")
    write_table(root, "id,label,species,set\na,1,cat,x\nb,2,dog,y\n")
    with pytest.raises(DatasetError, match=r"column 'set' of .* holds 'x', which is no split"):
        load(root)
    columns = {"label": "species", "split": None}
    assert classes_of(load(root, columns=columns)) == {"a.png": "cat", "b.png": "dog"}
    with pytest.raises(DatasetError, match=r"no column 'spezies'; .* did you mean 'species'\?"):
        load(root, columns={"label": "spezies"})


def test_a_class_that_no_column_tells_is_asked_for(photos: Photos, load: Load) -> None:
    root = photos("a.png", "b.png")
    write_table(root, "id,age,size\na,3,4\nb,5,6\n")
    with pytest.raises(DatasetError, match=r"not clear which column holds the class; the columns"):
        load(root)
    write_table(root, "age,size\n3,4\n5,6\n")
    with pytest.raises(DatasetError, match=r"which column names the image; .* \{image: …\}"):
        load(root)


def test_a_running_number_is_not_taken_for_the_name_of_a_file(photos: Photos, load: Load) -> None:
    root = photos("0.png", "1.png", "2.png", "a.png")
    write_table(root, "id,photo,label\n2,0.png,cat\n0,1.png,dog\n1,2.png,cat\n")
    with pytest.raises(DatasetError, match=r"which column names the image; .* \{image: …\}"):
        load(root)
    expected = {"0.png": "cat", "1.png": "dog", "2.png": "cat"}
    assert classes_of(load(root, columns={"image": "photo"})) == expected
    for number in ("nr", "id"):  # which no column of such a name can mean, or which finds nothing
        first = 2 if number == "nr" else 70
        rows = [f"{first - row},{row}.png,{'cat' if row % 2 == 0 else 'dog'}" for row in range(3)]
        write_table(root, f"{number},photo,label\n" + "\n".join(rows))
        dataset = load(root)
        assert classes_of(dataset) == expected
        assert dataset.notes[0].startswith("table labels.csv: image in 'photo', label in 'label'")


def test_given_splits_and_groups_are_kept(
    photos: Photos, load: Load, data_params: Callable[..., DataParams]
) -> None:
    root = photos(*(f"{number}.png" for number in range(48)))
    rows = [
        f"{number}.png,{'ab'[number % 2]},{('train', 'train', 'val', 'test')[number // 12]},"
        f"p{number // 2}"
        for number in range(48)
    ]
    write_table(root, "\n".join(["file,label,split,group", *rows]))
    dataset = load(root)
    assert dataset.notes[0].endswith(
        "image in 'file', label in 'label', split in 'split', group in 'group'; validation and "
        "test kept as given; calibration taken out of train"
    )
    split = split_dataset(dataset, data_params("digits").split, seed=0)
    numbers = {
        name: {int(Path(dataset.origins[row]).stem) for row in own} for name, own in split.items()
    }
    assert numbers["validation"] == set(range(24, 36))
    assert numbers["test"] == set(range(36, 48))
    assert numbers["train"] | numbers["calibration"] == set(range(24))
    assert {number ^ 1 for number in numbers["train"]} == numbers["train"]


def test_weights_reach_the_training_split_alone(
    photos: Photos, load: Load, data_params: Callable[..., DataParams], tmp_path: Path
) -> None:
    root = photos(*(f"{number}.png" for number in range(40)))
    rows = [f"{number},{'ab'[number % 2]},{number / 4 or ''}" for number in range(40)]
    write_table(root, "\n".join(["id,label,weight", *rows]))
    dataset = load(root)
    section = data_params("table", image_size=[8, 8])
    split = split_dataset(dataset, section.split, seed=0)
    write_prepared(tmp_path / "prepared", dataset, split, section)
    prepared = open_prepared(tmp_path / "prepared")
    numbers = [int(Path(name).stem) for name in prepared.names("train")]
    weights = prepared.row_weights()
    assert weights is not None
    assert weights.tolist() == [number / 4 or 1.0 for number in numbers]
    found = {path.name for path in (tmp_path / "prepared").glob("*_weights.npy")}
    assert found == {"train_weights.npy"}
    training = training_set(prepared, prepared.images("test")[:3])
    assert training.weights is not None
    assert training.weights.tolist() == [*weights.tolist(), 1.0, 1.0, 1.0]


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "much"])
def test_a_weight_that_is_none_is_told(weight: str, photos: Photos, load: Load) -> None:
    root = photos("a.png", "b.png")
    write_table(root, f"id,label,weight\na,cat,{weight}\nb,dog,1\n")
    with pytest.raises(DatasetError, match=f"a: its weight is '{weight}', a number above 0"):
        load(root)


def test_a_column_of_patients_is_proposed_and_the_line_groups_by_it(
    photos: Photos, load: Load
) -> None:
    root = photos(*(f"{number}.png" for number in range(24)))
    rows = [f"{number},{'ab'[number % 2]},{number},p{number // 3}" for number in range(24)]
    write_table(root, "\n".join(["image,target,lesion_id,Patient ID", *rows]))
    dataset = load(root)
    (warning,) = dataset.warnings
    assert "column 'Patient ID' looks as if several images were of one patient: 8 for 24" in warning
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 24  # nothing is applied by itself
    pasted = YAML(typ="safe", pure=True).load(warning.splitlines()[1])
    grouped = load(root, **pasted)
    assert grouped.groups is not None
    assert len(np.unique(grouped.groups)) == 8
    assert grouped.warnings == ()
    assert load(root, columns={"group": None}).warnings == ()


def test_missing_and_ambiguous_images_and_cells_are_named(photos: Photos, load: Load) -> None:
    names = [f"{number}.png" for number in range(8)]
    root = photos(*names, "x/same.png", "y/same.png")
    rows = [f"{number},{'ab'[number % 2]}" for number in range(8)]
    write_table(root, "\n".join(["id,label", *rows, "gone,a", "same,a", "7,", "6,b"]))
    with pytest.raises(DatasetError, match="has 4 problems") as info:
        load(root)
    for line in (
        "gone: no such image, though the table names it, line 10",
        "same: may be x/same.png and y/same.png; give its folder, or set source.images, line 11",
        "7: no class, line 12",
        "6.png: in lines 8 and 13, not alike in all columns",
    ):
        assert line in str(info.value)
    dataset = load(root, on_bad="skip")
    assert sorted(dataset.origins) == [f"{number}.png" for number in (0, 1, 2, 3, 4, 5, 7)]
    assert len(dataset.problems) == 4


def test_images_are_looked_for_in_a_folder_if_it_is_named(photos: Photos, load: Load) -> None:
    root = photos("train/1.png", "train/2.png", "test/1.png", "test/2.png")
    write_table(root, "id,label\n1,a\n2,b\n", "train.csv")
    with pytest.raises(DatasetError, match=r"may be test/1\.png and train/1\.png"):
        load(root)
    write_table(root, "id\n1\n2\n", "test.csv")
    with pytest.raises(DatasetError, match=r"2 tables \(test.csv, train.csv\), .* source\.file"):
        load(root)
    dataset = load(root, file="train.csv", images="train")
    assert classes_of(dataset) == {"train/1.png": "a", "train/2.png": "b"}


def test_a_path_never_finds_an_image_of_another_folder(photos: Photos, load: Load) -> None:
    root = photos("a/1.png", "a/2.png", "b/2.png")
    write_table(root, "path,label\na/1.png,x\nb/1.png,y\nb/2.png,y\na/2.png,x\n")
    dataset = load(root, on_bad="skip")
    assert classes_of(dataset) == {"a/1.png": "x", "b/2.png": "y", "a/2.png": "x"}
    assert [found.path for found in dataset.problems] == ["b/1.png"]


def test_names_and_classes_are_compared_in_one_encoding(photos: Photos, load: Load) -> None:
    root = photos("e\u0301te\u0301.png", "b.png", "c.png")
    write_table(root, "id,label\n\u00e9t\u00e9,caf\u00e9\nb,cafe\u0301 \nc,bar\n")
    assert Counter(classes_of(load(root)).values()) == {"caf\u00e9": 2, "bar": 1}
    write_table(root, "id,label\n\u00e9t\u00e9,Dog\nb,dog\nc,bar\n")
    with pytest.raises(DatasetError, match="'Dog' and 'dog' would be two classes that look like"):
        load(root)


def test_classes_come_in_the_order_that_is_asked_for(photos: Photos, load: Load) -> None:
    root = photos("a.png", "b.png", "c.png")
    write_table(root, "id,label\na,ape\nb,bear\nc,cat\n")
    assert load(root).class_names == ("ape", "bear", "cat")
    assert load(root, classes=["cat", "ape", "bear"]).class_names == ("cat", "ape", "bear")
    with pytest.raises(DatasetError, match=r"b: 'bear' is no class that source\.classes names"):
        load(root, classes=["cat", "ape"])
