"""Further images that a chain of likeness leads from to images that must stay apart from them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kdtasks.data.groups import group_named, join_groups, join_pairs, number_groups
from kdtasks.data.labels import image_of
from kdtasks.data.margins import is_plain, without_margins
from kdtasks.data.near_copies import near_copies
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.spool import transformed
from kdtasks.data.stacked_rows import rows_of
from kdtasks.tasks.registry import task_of


class Pieces(NamedTuple):
    """Images, or patches of them, by name; `files` numbers what each was cut from, int [N].

    `first` is, for each, the first row with its pixels of the dataset and, behind it, these.
    """

    names: Sequence[str]
    images: np.ndarray
    files: np.ndarray
    first: np.ndarray


def find_leaks(
    pieces: Pieces, dataset: RawDataset, apart: np.ndarray, params: DataParams
) -> dict[int, tuple[str, int]]:
    """Find the pieces that a chain leads from to an image that is to stay apart from them.

    Its links are equal images, near copies, a file that patches are of, and a group that
    `group_by` names, as they hold labelled images together.

    Args:
        apart: rows of the dataset that are to stay apart.
        params: section `data`.

    Returns:
        by piece, how it belongs to which row of the dataset.
    """
    per_pixel = task_of(dataset.task).per_pixel
    count, rows = len(dataset), len(dataset) + np.arange(len(pieces.images))
    says = ~(per_pixel & is_plain(pieces.images))
    _, first, owner = np.unique(pieces.files, return_index=True, return_inverse=True)
    links = [
        np.stack([rows, rows[first[owner]]], axis=1),
        np.stack([rows, pieces.first], axis=1)[says],
    ]
    direct: dict[int, tuple[str, int]] = {}
    if params.near_copies:
        shown = pieces.images, rows_of(dataset.images, apart)
        if per_pixel:
            shown = transformed(shown[0], without_margins), transformed(shown[1], without_margins)
        across = near_copies(*shown)
        links += [
            np.stack([count + across[:, 0], apart[across[:, 1]]], axis=1),
            count + near_copies(shown[0]),
        ]
        for row, other in across.tolist():
            direct.setdefault(row, ("nearly the same image as", int(apart[other])))
    for row in np.flatnonzero(np.isin(pieces.first, apart) & says).tolist():
        direct[row] = ("the same image as", int(pieces.first[row]))
    groups = join_pairs(np.arange(count + len(rows)), np.concatenate(links))
    if params.group_by is not None:
        names = [*dataset.origins, *pieces.names]
        if per_pixel:
            names = [image_of(name) for name in names]
        named = [group_named(name, params.group_by) for name in names]
        groups = join_groups(
            groups, number_groups([row if name is None else name for row, name in enumerate(named)])
        )
    twins = dict(zip(groups[apart][::-1].tolist(), apart[::-1].tolist(), strict=True))
    # with one patch of a photo all of them go
    reasons = {pieces.files[row]: reason for row, reason in sorted(direct.items(), reverse=True)}
    return {
        row: reasons.get(pieces.files[row], ("grouped with", twins[group]))
        for row, group in enumerate(groups[count:].tolist())
        if group in twins
    }
