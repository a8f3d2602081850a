"""Names that tell of bursts, scenes and patients; and names that only count."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kdtasks.data.group_proposals import propose_groups
from kdtasks.data.groups import GroupBy, group_named, number_groups
from kdtasks.data.prepare import load_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.split import split_dataset


def propose(names: list[str]) -> GroupBy:
    """Propose for images of the class that their first folder names."""
    return propose_groups(names, len({name.split("/")[0] for name in names}))[0]


def groups(names: list[str]) -> list[int]:
    group_by = propose(names)
    if group_by is None:
        return list(range(len(names)))
    found: list[int] = number_groups([group_named(name, group_by) for name in names]).tolist()
    return found


PAIRS = [(group, image) for group in range(12) for image in range(5)]
KINDS = ("cat", "dog")


@pytest.mark.parametrize(
    "name",
    [
        "{kind}/scene{group:02}_{image}.jpg",
        "{kind}/IMG_2024{group:04}_BURST{image:03}.jpg",
        "{kind}/{image:05}IMG_{image:05}_BURST201807111545{group:05}_COVER.jpg",
        "{kind}/Patient {group}/slice{image}.png",
        "{kind}/patient-{group}_eye-{image}.tif",
        "{kind}/video_{group}_frame_{image:06}.png",
        "{kind}/house {group:c>3} ({image}).JPG",
        "{kind}/P{group:03}/{image}.png",
        "{kind}/{group}-{image}.png",
    ],
)
def test_groups_are_seen_and_the_line_makes_them(name: str) -> None:
    names = [name.format(kind=KINDS[group % 2], group=group, image=image) for group, image in PAIRS]
    assert groups(names) == [group for group, _ in PAIRS]


def test_a_folder_level_is_proposed_as_a_number() -> None:
    names = [f"{KINDS[group % 2]}/P{group:03}/{image}.png" for group, image in PAIRS]
    assert propose(names) == 2


@pytest.mark.parametrize(
    "name",
    [
        "{kind}/{number}.png",
        "{kind}/{kind}_{number}.jpg",
        "{kind}/IMG_{number:04}.JPG",
        "{kind}/ISIC_00{number}.jpg",
        "{kind}/image_{number:05}.jpg",
        "train/{kind}/{number}.png",
        "{kind}/deep/down/{number}.png",
        "row[{number}]",
        "{kind}/scene{number}.png",
        "{kind}/subsequence{number}.png",
    ],
)
def test_names_that_only_count_propose_nothing(name: str) -> None:
    names = [name.format(kind=KINDS[number % 2], number=number) for number in range(60)]
    assert propose_groups(names, 2) == (None, "")


def test_given_splits_around_the_classes_are_no_groups() -> None:
    names = [
        f"{split}/{kind}/{number}.png"
        for split in ("train", "val", "test")
        for kind in "abcd"
        for number in range(9)
    ]
    assert propose_groups(names, 12) == (None, "")


def test_numbers_that_begin_anew_in_every_folder_stay_apart() -> None:
    names = [f"{kind}/{group}_{image}.png" for kind in KINDS for group, image in PAIRS]
    assert len(set(groups(names))) == 24


def test_images_without_a_group_are_on_their_own() -> None:
    names = [f"a/scene{group:02}_{image}.png" for group, image in PAIRS]
    names += [f"a/other{number}.png" for number in range(7)]
    assert len(set(groups(names))) == 12 + 7


def test_few_images_and_a_group_of_half_of_them_propose_nothing() -> None:
    assert propose([f"a/scene{number // 2}_{number}.png" for number in range(6)]) is None
    half = [f"a/scene{max(0, number - 30)}_{number}.png" for number in range(60)]
    assert propose(half) is None


def test_bursts_are_warned_of_and_the_pasted_line_keeps_them_together(
    photos: Callable[..., Path], data_params: Callable[..., DataParams]
) -> None:
    root = photos(*(f"{'ab'[s % 2]}/scene{s:02}_{v}.jpg" for s in range(20) for v in range(5)))
    keys = {"path": str(root), "image_size": [8, 8]}
    dataset = load_dataset(data_params("image_folder", **keys))
    (warning,) = dataset.warnings
    assert "20 groups, such as 'scene00' of 5 images" in warning
    assert dataset.groups is not None
    assert len(set(dataset.groups.tolist())) == 100  # nothing is applied by itself
    pasted = YAML(typ="safe", pure=True).load(warning.splitlines()[1])
    params = data_params("image_folder", **keys, **pasted)
    dataset = load_dataset(params)
    assert dataset.warnings == ()
    scenes = [
        {dataset.origins[row][2:9] for row in rows}
        for rows in split_dataset(dataset, params.split, seed=0).values()
    ]
    assert sum(map(len, scenes)) == len(set.union(*scenes)) == 20


def test_nothing_is_proposed_where_groups_are_named_already(
    photos: Callable[..., Path], data_params: Callable[..., DataParams]
) -> None:
    root = photos(*(f"{'ab'[s % 2]}/scene{s:02}_{v}.jpg" for s in range(10) for v in range(2)))
    keys = {"path": str(root), "image_size": [8, 8]}
    assert load_dataset(data_params("image_folder", **keys, group_by=".*")).warnings == ()
