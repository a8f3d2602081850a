"""What is no independent image: groups that the user names, equal images and near copies."""

import hashlib
import re
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import GroupCounts
from kdtasks.core.text import quantity

GroupBy = int | str | None


def refuse_unnamed(names: Iterable[str], group_by: GroupBy) -> None:
    """Refuse names that stand for no group, as of `group_named`; None of `group_by` refuses none.

    Raises:
        DatasetError: some names have fewer folders, or do not match.
    """
    if group_by is None:
        return
    number, without, example = 0, 0, ""
    for name in names:
        number += 1
        if group_named(name, group_by) is None:
            without, example = without + 1, example or name
    if isinstance(group_by, int):
        lacks, cure = (
            f"lie in fewer than {quantity(group_by, 'folder')}",
            "give a smaller number",
        )
    else:
        lacks = f"do not match {group_by!r}"
        cure = "fix the pattern, or let it match all, as `scene\\d+|^(?!.*scene\\d).*` does"
    if without:
        raise DatasetError(
            f"data.group_by: {without} of {number} names {lacks}, such as {example!r}; {cure}"
        )


def group_named(name: str, group_by: int | str) -> str | None:
    r"""Give the group that a name stands for; None where there is none.

    Args:
        name: such as a path below `data.path`.
        group_by: how many folders of the name count, or a pattern such as `scene(\d+)_`, whose
            first group, or else the whole match, names the group.
    """
    if isinstance(group_by, int):
        folders = name.split("/")[:-1]
        return "/".join(folders[:group_by]) if len(folders) >= group_by else None
    match = re.search(group_by, name)
    return match and match[1 if match.re.groups else 0]


def number_groups(keys: Sequence[Hashable]) -> np.ndarray:
    """Number keys in the order in which they come: int64 [N], equal keys by equal numbers."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def renumbered(groups: np.ndarray) -> np.ndarray:
    """As `number_groups` of integers from 0, int [N], without a dictionary: int64 [N]."""
    rows = np.arange(len(groups))
    first = np.full(groups.max(initial=-1) + 1, len(groups))
    np.minimum.at(first, groups, rows)
    head = first[groups]
    number = np.cumsum(head == rows) - 1
    return np.asarray(number[head])


def join_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Join two groupings: rows are together if a chain of either leads from one to the other.

    Args:
        one: int [N], the group of each row.
        other: the same, for the other grouping.

    Returns:
        int64 [N], numbers from 0.
    """
    _, left = np.unique(one, return_inverse=True)
    _, right = np.unique(other, return_inverse=True)
    if not len(left):
        return left.astype(np.int64)
    right += left.max() + 1
    return _connected(np.stack([left, right], axis=1), right.max() + 1)[left]


def join_pairs(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Join the groups of each pair of rows, int [pairs, 2]; `groups` and result are int [N]."""
    return join_groups(groups, _connected(pairs, len(groups)))


def _connected(links: np.ndarray, nodes: int) -> np.ndarray:
    """Number the connected components of a graph: int64 [nodes]; `links` are int [links, 2]."""
    # Takes a third of a second, and most datasets have one grouping only.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    matrix = coo_array((np.ones(len(links), np.int8), tuple(links.T)), shape=(nodes, nodes))
    component: np.ndarray = connected_components(matrix, directed=False)[1]
    return component.astype(np.int64)


def split_position(content: bytes, seed: int) -> float:
    """Hash a content to its place on the line from 0 to 1 that a stable split divides."""
    salt = seed.to_bytes(16, "little")
    digest = hashlib.blake2b(content, digest_size=8, salt=salt).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def lowest_positions(positions: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Find the lowest place of every group: float64 [groups].

    Args:
        positions: float [N].
        groups: int [N], the group of each row, 0 … groups − 1.
    """
    lowest = np.ones(groups.max(initial=-1) + 1)
    np.minimum.at(lowest, groups, positions)
    return lowest


def count_groups(groups: np.ndarray) -> GroupCounts:
    """Count groups; `groups` are int [N], the group of each image or patch."""
    _, sizes = np.unique(groups, return_counts=True)
    return GroupCounts(
        total=len(sizes),
        shared=int(sizes[sizes > 1].sum()),
        largest=int(sizes.max(initial=0)),
    )
