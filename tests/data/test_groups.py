"""Groups that names stand for, and images that are no independent ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Dataset, GroupCounts
from kdtasks.data.checks import exclude_leaks, mark_groups
from kdtasks.data.groups import (
    count_groups,
    group_named,
    join_pairs,
    number_groups,
    refuse_unnamed,
    renumbered,
)
from kdtasks.data.prepare import load_dataset, write_prepared
from kdtasks.data.prepared import SPLITS, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset
from tests.tools.photos import photos, retaken

NAMES = ["a/x/scene1_0.png", "a/y/scene1_1.png", "b/x/scene22_0.png"]


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        (1, ["a", "a", "b"]),
        (2, ["a/x", "a/y", "b/x"]),
        (r"scene(\d+)_", ["1", "1", "22"]),
        (r"scene\d+", ["scene1", "scene1", "scene22"]),
    ],
)
def test_a_name_stands_for_its_group(group_by: int | str, groups: list[str | None]) -> None:
    assert [group_named(name, group_by) for name in NAMES] == groups
    refuse_unnamed(NAMES, group_by)


@pytest.mark.parametrize(
    ("group_by", "message"),
    [
        (3, r"3 of 3 names lie in fewer than 3 folders, such as 'a/x/scene1_0.png'; give a smal"),
        ("take", r"3 of 3 names do not match 'take', such as 'a/x/scene1_0.png'; fix the pattern"),
        ("scene1", r"1 of 3 names do not match 'scene1', such as 'b/x/scene22_0.png'"),
        (r"scene1|scene(2)", r"2 of 3 names do not match 'scene1\|scene\(2\)', such as 'a/x/sce"),
    ],
)
def test_names_without_a_group_are_told(group_by: int | str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        refuse_unnamed(NAMES, group_by)


def test_a_pattern_that_is_none_is_refused(data_params: Callable[..., DataParams]) -> None:
    with pytest.raises(ValidationError, match=r"'scene\(' is no regular expression \(missing \)"):
        data_params("digits", group_by="scene(")


@given(st.lists(st.integers(0, 9)))
def test_groups_are_renumbered_in_the_order_in_which_they_come(groups: list[int]) -> None:
    assert renumbered(np.array(groups, int)).tolist() == number_groups(groups).tolist()


def test_pairs_join_whole_groups_into_chains() -> None:
    groups = join_pairs(np.array([0, 0, 1, 2, 3]), np.array([[1, 2], [2, 3]]))
    assert groups.tolist() == [0, 0, 0, 0, 1]
    assert count_groups(groups) == GroupCounts(total=2, shared=4, largest=4)
    assert count_groups(groups[:0]) == GroupCounts(total=0, shared=0, largest=0)


@pytest.fixture
def bursts(tmp_path: Path) -> Path:
    """Twenty bursts of five in two classes: left/scene0_0.png …"""
    generator, folder = np.random.default_rng(1), tmp_path / "bursts"
    for scene, image in enumerate(photos(20)):
        place = folder / ("left", "right")[scene % 2]
        place.mkdir(parents=True, exist_ok=True)
        for shot in range(5):
            pixels = retaken(image, generator)
            Image.fromarray(pixels).save(place / f"scene{scene}_{shot}.png")
    return folder


def straddling(dataset: RawDataset, section: DataParams) -> int:
    """Scenes in more than one split."""
    split = split_dataset(dataset, section.split, seed=0)
    scenes = [{dataset.origins[row].split("_")[0] for row in rows} for rows in split.values()]
    return sum(map(len, scenes)) - len(set.union(*scenes))


def test_no_burst_that_is_named_straddles_two_splits(
    bursts: Path, tmp_path: Path, data_params: Callable[..., DataParams]
) -> None:
    section = data_params(
        "image_folder",
        path=str(bursts),
        image_size=[40, 48],
        near_copies=False,
        group_by=r"scene(\d+)_",
    )
    dataset = load_dataset(section)
    assert straddling(dataset, section) == 0
    write_prepared(
        tmp_path / "out", dataset, split_dataset(dataset, section.split, seed=0), section
    )
    prepared = open_prepared(tmp_path / "out")
    assert [prepared.groups(name).max() + 1 for name in SPLITS] == [8, 4, 4, 4]
    assert prepared.groups("test").dtype == np.int32
    record = Dataset.read(tmp_path / "out" / "dataset.json")
    assert record.groups == GroupCounts(total=20, shared=100, largest=5)
    assert record.split_by == (r"class; equal images and groups by 'scene(\\d+)_' are in one split")


def test_hardly_any_burst_that_is_not_named_straddles_two_splits(
    bursts: Path, data_params: Callable[..., DataParams]
) -> None:
    keys = {"path": str(bursts), "image_size": [40, 48]}
    section = data_params("image_folder", **keys)
    # of these shots, with all that `retaken` does to them, 95 % are found
    assert straddling(load_dataset(section), section) <= 2
    section = data_params("image_folder", near_copies=False, **keys)
    assert straddling(load_dataset(section), section) >= 18


def test_near_copies_of_an_official_test_set_are_left_out() -> None:
    generator, scenes = np.random.default_rng(2), photos(6)
    images = np.array([*scenes, retaken(scenes[1], generator), scenes[2]])
    dataset = RawDataset(
        task="classification",
        images=images,
        labels=np.array([0, 1] * 4, np.int32),
        class_names=("a", "b"),
        origins=tuple(f"row[{row}]" for row in range(8)),
        given=np.array([""] * 6 + ["test"] * 2),
    )
    kept = exclude_leaks(mark_groups(dataset, near=True))
    assert [(item.path, item.problem) for item in kept.excluded] == [
        ("row[1]", "grouped with row[6] of the given test set"),
        ("row[2]", "the same image as row[7] of the given test set"),
    ]
    assert len(exclude_leaks(mark_groups(dataset, near=False))) == 7


def test_places_are_those_of_the_whole_group_before_anything_is_left_out(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    places = np.array([0.9, 0.2, 0.7, 0.5])
    dataset = replace(
        tiny_dataset([0, 1, 0, 1]), groups=np.array([3, 3, 5, 5]), split_positions=places
    )
    marked = mark_groups(dataset, near=True)
    assert marked.split_positions is not None
    assert marked.split_positions.tolist() == [0.2, 0.2, 0.5, 0.5]
