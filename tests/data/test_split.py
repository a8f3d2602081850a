from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.core.errors import DatasetError
from kdtasks.data.groups import join_pairs, split_position
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import SplitParams
from kdtasks.data.split import SPLITS, assign_by_position, split_dataset

SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
PARAMS = SplitParams.model_validate(SHARES)


def classification(labels: list[int], groups: list[int] | None = None) -> RawDataset:
    return RawDataset(
        task="classification",
        images=np.zeros((len(labels), 1, 1, 1), np.uint8),
        labels=np.array(labels, np.int32),
        class_names=tuple(str(label) for label in range(max(labels) + 1)),
        origins=tuple(str(row) for row in range(len(labels))),
        groups=None if groups is None else np.array(groups, np.int64),
    )


def by_class(dataset: RawDataset, split: dict[str, np.ndarray]) -> dict[str, list[int]]:
    counts = dataset.label_counts()
    return {name: counts.take(rows).total().tolist() for name, rows in split.items()}


def test_round_numbers_are_met_exactly() -> None:
    dataset = classification([0] * 100 + [1] * 50)
    assert by_class(dataset, split_dataset(dataset, PARAMS, seed=0)) == {
        "train": [60, 30],
        "validation": [10, 5],
        "calibration": [10, 5],
        "test": [20, 10],
    }


def test_a_rare_class_is_in_every_split() -> None:
    dataset = classification([0] * 100 + [1] * 4)
    counts = by_class(dataset, split_dataset(dataset, PARAMS, seed=0))
    assert [counts[name][1] for name in SPLITS] == [1, 1, 1, 1]


def test_the_seed_decides_and_rows_come_mixed() -> None:
    dataset = classification([0] * 50 + [1] * 50)
    first, again, other = (split_dataset(dataset, PARAMS, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in SPLITS)
    assert not np.array_equal(np.sort(first["test"]), np.sort(other["test"]))
    assert set(dataset.labels[first["train"][:20]]) == {0, 1}


def test_too_rare_classes_are_named() -> None:
    dataset = classification([0] * 10 + [1] * 3 + [2] * 2)
    with pytest.raises(
        DatasetError, match=r"4 are needed.*\n  class 1: 3, 1 more\n  class 2: 2, 2 more$"
    ):
        split_dataset(dataset, PARAMS, seed=0)


def test_duplicates_count_once_towards_what_is_needed() -> None:
    groups = [*range(10), 20, 20, 21, 22]
    dataset = classification([0] * 10 + [1] * 4, groups)
    with pytest.raises(DatasetError, match="class 1: 3"):
        split_dataset(dataset, PARAMS, seed=0)


def test_the_official_test_set_is_the_test_split(tiny_dataset: Callable[..., RawDataset]) -> None:
    is_test = np.arange(110) >= 80
    dataset = tiny_dataset([row % 2 for row in range(110)], given=np.where(is_test, "test", ""))
    split = split_dataset(dataset, PARAMS, seed=0)
    assert sorted(split["test"]) == list(range(80, 110))
    # 80 rows by 0.6 : 0.1 : 0.1
    assert {name: len(split[name]) for name in SPLITS[:3]} == {
        "train": 60,
        "validation": 10,
        "calibration": 10,
    }


def test_given_splits_are_kept_and_the_others_share_the_rest(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    given = np.repeat(["train", "", "test"], [40, 30, 20])
    dataset = tiny_dataset([row % 2 for row in range(90)], given=given)
    split = split_dataset(dataset, PARAMS, seed=0)
    assert sorted(split["train"]) == list(range(40))
    assert sorted(split["test"]) == list(range(70, 90))
    assert {name: len(split[name]) for name in ("validation", "calibration")} == {
        "validation": 15,
        "calibration": 15,
    }
    all_given = tiny_dataset([0, 1] * 4, given=np.repeat(SPLITS, 2))
    rows = split_dataset(all_given, PARAMS, seed=0).values()
    assert [sorted(part.tolist()) for part in rows] == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_class_missing_from_the_official_test_set_is_named(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    is_test = np.arange(20) >= 18
    dataset = tiny_dataset([0] * 9 + [1] * 9 + [0] * 2, given=np.where(is_test, "test", ""))
    with pytest.raises(DatasetError, match=r"one for each of test.*\n  class class_1: 0, 1 more$"):
        split_dataset(dataset, PARAMS, seed=0)


shares = st.tuples(*[st.integers(1, 10)] * 4).map(
    lambda parts: SplitParams.model_validate(
        {name: part / sum(parts) for name, part in zip(SPLITS, parts, strict=True)}
    )
)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(4, 60), min_size=2, max_size=6),
    params=shares,
    seed=st.integers(0, 9),
)
def test_single_images_partition_and_meet_the_shares(
    sizes: list[int], params: SplitParams, seed: int
) -> None:
    dataset = classification(np.repeat(np.arange(len(sizes)), sizes).tolist())
    split = split_dataset(dataset, params, seed=seed)
    assert sorted(np.concatenate(list(split.values()))) == list(range(sum(sizes)))
    # Where every share comes to an image, only rounding is left; else up to three splits get an
    # image of the class that is not due to them.
    least = min(getattr(params, name) for name in SPLITS)
    all_due = least * min(sizes) >= 1
    for name, counts in by_class(dataset, split).items():
        assert min(counts) >= 1
        exact = getattr(params, name) * np.array(sizes)
        assert np.all(np.abs(counts - exact) < (2 if all_due else 4))
        assert abs(sum(counts) - exact.sum()) <= len(sizes) * (1 if all_due else 3)


@settings(max_examples=60)
@given(
    labels=st.lists(st.integers(0, 1), min_size=20, max_size=80),
    group_count=st.integers(12, 60),
    params=shares,
    seed=st.integers(0, 9),
)
def test_groups_stay_whole_and_shares_hold_within_group_sizes(
    labels: list[int], group_count: int, params: SplitParams, seed: int
) -> None:
    # Four single images of each class make the split possible, the others come in groups.
    singles = [0] * 4 + [1] * 4
    grouped = np.random.default_rng(seed).integers(0, group_count, len(labels))
    groups = [*grouped.tolist(), *range(1000, 1008)]
    dataset = classification(labels + singles, groups)
    split = split_dataset(dataset, params, seed=seed)
    assert sorted(np.concatenate(list(split.values()))) == list(range(len(groups)))
    owner = {row: name for name, rows in split.items() for row in rows.tolist()}
    for group in set(groups):
        members = [row for row, of in enumerate(groups) if of == group]
        assert len({owner[row] for row in members}) == 1
    largest = int(np.bincount(groups).max())
    for name, rows in split.items():
        assert abs(len(rows) - getattr(params, name) * len(groups)) <= 2 * largest + 4


def test_rare_classes_of_masks_are_in_every_split() -> None:
    # Twelve images of two patches; class 1 is in images 0…4 only, class 2 in 3…8 only.
    labels = np.zeros((24, 2, 2), np.uint8)
    labels[0:10:2, 0, 0] = 1
    labels[6:18:2, 0, 1] = 2
    dataset = RawDataset(
        task="segmentation",
        images=np.zeros((24, 2, 2, 3), np.uint8),
        labels=labels,
        class_names=("ground", "car", "tree"),
        origins=("",) * 24,
        groups=np.arange(24) // 2,
    )
    for seed in range(10):
        split = split_dataset(dataset, PARAMS, seed=seed)
        assert all(min(counts) > 0 for counts in by_class(dataset, split).values())


def test_classes_that_share_all_their_images_with_rarer_ones() -> None:
    """Class 1 is in groups 0…3, class 2 in 0…3 and 4: each split gets one of 0…3."""
    labels = np.zeros((20, 1, 3), np.uint8)
    labels[:4, 0, 1] = 1
    labels[:5, 0, 2] = 2
    dataset = RawDataset(
        task="segmentation",
        images=np.zeros((20, 1, 3, 3), np.uint8),
        labels=labels,
        class_names=("ground", "car", "tree"),
        origins=("",) * 20,
    )
    split = split_dataset(dataset, PARAMS, seed=0)
    assert [int((rows < 4).sum()) for rows in split.values()] == [1, 1, 1, 1]


def test_shares_are_used_even_where_the_sum_is_off_by_a_rounding_error() -> None:
    third = 1 / 3
    params = SplitParams.model_validate(
        {"train": third, "validation": third, "calibration": third / 2, "test": third / 2}
    )
    dataset = classification([0, 1] * 60)
    assert [len(rows) for rows in split_dataset(dataset, params, seed=0).values()] == [
        40,
        40,
        20,
        20,
    ]


def placed(rows: int, *, groups: list[int] | None = None, seed: int = 0) -> RawDataset:
    """Images of noise in two classes, turn by turn, with places by their content."""
    images = np.random.default_rng(7).integers(0, 256, (rows, 4, 4, 1), np.uint8)
    places = np.array([split_position(image.tobytes(), seed) for image in images])
    return replace(
        classification([0, 1] * (rows // 2), groups), images=images, split_positions=places
    )


def named(dataset: RawDataset, split: dict[str, np.ndarray]) -> dict[str, set[bytes]]:
    return {name: {dataset.images[row].tobytes() for row in rows} for name, rows in split.items()}


def test_a_stable_split_moves_no_image_when_others_come() -> None:
    grown = placed(600)
    first = grown.take(np.random.default_rng(1).permutation(600)[:400])
    before = named(first, split_dataset(first, PARAMS, seed=0))
    after = named(grown, split_dataset(grown, PARAMS, seed=0))
    assert all(before[name] < after[name] for name in SPLITS)
    dealt, first = replace(grown, split_positions=None), replace(first, split_positions=None)
    moved = named(dealt, split_dataset(dealt, PARAMS, seed=0))
    assert not named(first, split_dataset(first, PARAMS, seed=0))["train"] <= moved["train"]


def test_a_stable_split_has_its_shares_on_average_and_a_seed() -> None:
    dataset, other = placed(4000), placed(4000, seed=1)
    split = split_dataset(dataset, PARAMS, seed=0)
    shares = {name: len(rows) / 4000 for name, rows in split.items()}
    assert shares == pytest.approx(SHARES, abs=0.03)  # four standard deviations
    assert (
        named(dataset, split)["test"] != named(other, split_dataset(other, PARAMS, seed=0))["test"]
    )


def test_a_group_goes_to_the_first_split_that_one_of_its_rows_asks_for() -> None:
    fractions, members = np.array([0.6, 0.2, 0.2]), np.array([0, 1, 1, 2, 2, 3])
    places = np.array([0.1, 0.9, 0.59, 0.85, 0.65, 0.8])
    assert assign_by_position(places, members, fractions).tolist() == [0, 0, 1, 2]


@given(
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_whatever_joins_later_moves_rows_towards_the_first_split_only(
    places: list[float], links: list[tuple[int, int]], old_rows: int, old_links: int
) -> None:
    """Rows come, and links between any of them: also one that joins two groups of old rows."""

    def splits(rows: int, known: list[tuple[int, int]]) -> np.ndarray:
        pairs = np.array([pair for pair in known if max(pair) < rows], np.int64).reshape(-1, 2)
        _, members = np.unique(join_pairs(np.arange(rows), pairs), return_inverse=True)
        fractions = np.array([0.6, 0.15, 0.1, 0.15])
        return assign_by_position(np.array(places[:rows]), members, fractions)[members]

    before = splits(min(old_rows, len(places)), links[:old_links])
    after = splits(len(places), links)
    assert (after[: len(before)] <= before).all()


def test_a_class_that_a_stable_split_leaves_out_of_one_is_named() -> None:
    dataset = replace(placed(100), labels=np.array([0] * 96 + [1] * 4, np.int32))
    with pytest.raises(DatasetError, match=r"set data\.stable_split to false:\n  class 1: nothing"):
        split_dataset(dataset, PARAMS, seed=0)
