"""What a source of a project's own can say of its items, and what is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.prepare import load_dataset
from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Item, Source
from kdtasks.data.split import split_dataset


class Listed(Source):
    """Items that a test lists, of two classes."""

    task: ClassVar = "classification"
    listed: ClassVar[list[Item]] = []

    name: str = "listed"

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return ("a", "b")

    def items(self, folder: Path) -> Iterator[Item]:
        yield from self.listed


@pytest.fixture
def params(
    data_params: Callable[..., DataParams], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., DataParams]:
    def build(items: list[Item], **keys: Any) -> DataParams:
        monkeypatch.setattr(Listed, "listed", items)
        return data_params("digits", **keys).model_copy(update={"source": Listed()})

    return build


def item(number: int, **fields: Any) -> Item:
    """An image of 4×4 that differs for every number, with labels turn by turn."""
    image = np.random.default_rng(number).integers(0, 256, (4, 4, 1), np.uint8)
    known: dict[str, Any] = {"name": f"image {number}", "image": image, "label": number % 2}
    return Item(**(known | fields))


def test_given_splits_are_kept(params: Callable[..., DataParams]) -> None:
    given = [item(number, split="test") for number in range(6)]
    section = params([*given, *(item(number) for number in range(6, 30))])
    dataset = load_dataset(section)
    split = split_dataset(dataset, section.split, seed=0)
    assert sorted(split["test"]) == list(range(6))


def test_groups_stay_in_one_split(params: Callable[..., DataParams]) -> None:
    items = [item(number, group=f"burst {number // 4}") for number in range(64)]
    section = params([*items, *(item(number) for number in range(64, 80))])
    dataset = load_dataset(section)
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 16 + 16
    bursts = [
        {row // 4 for row in rows.tolist() if row < 64}
        for rows in split_dataset(dataset, section.split, seed=0).values()
    ]
    assert sum(map(len, bursts)) == len(set.union(*bursts)) == 16


def test_a_choice_keeps_what_each_split_needs(params: Callable[..., DataParams]) -> None:
    given = [item(number, split="test") for number in range(20)]
    items = [*given, *(item(number) for number in range(20, 120))]
    dataset = read_dataset(params(items, max_images=12))
    assert dataset.given is not None
    of_test = dataset.given == "test"
    assert np.bincount(dataset.labels[of_test]).tolist() == [1, 1]
    assert np.bincount(dataset.labels[~of_test]).tolist() == [5, 5]
    with pytest.raises(DatasetError, match="max_images is 7, at least 8 are needed"):
        read_dataset(params(items, max_images=7))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": 2}, "image 9 has the label 2, 0…1 were expected"),
        ({"split": "dev"}, "image 9 is of split 'dev'; the splits are train, validation, "),
        ({"group": "burst"}, "group 'burst' has images of the splits none, test; a group stays"),
        (
            {"image": np.zeros((3, 4, 1), np.uint8)},
            r"image 9 is of shape \(3, 4, 1\), image 0 of \(4, 4, 1\); set data\.image_size",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(
    params: Callable[..., DataParams], fields: dict[str, Any], message: str
) -> None:
    items = [*map(item, range(8)), item(8, group="burst", split="test"), item(9, **fields)]
    with pytest.raises(DatasetError, match=message):
        read_dataset(params(items))
