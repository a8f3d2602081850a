from pathlib import Path

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.folders import (
    broken_links,
    files_below,
    linked_folders,
    refuse_broken_links,
    require_folder,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a linked folder, in which lie a folder and another linked one."""
    root, disk, far = tmp_path / "raw", tmp_path / "disk", tmp_path / "far"
    for file in (root / "cats/1", disk / "2", disk / "more/3", far / "4"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    (root / "dogs").symlink_to(disk)
    (disk / "far").symlink_to(far)
    return root


def test_links_are_followed_and_listed_by_the_way_to_them(tree: Path) -> None:
    files = [path.relative_to(tree).as_posix() for path in files_below(tree)]
    assert files == ["cats/1", "dogs/2", "dogs/far/4", "dogs/more/3"]
    links = [path.relative_to(tree).as_posix() for path in linked_folders(tree)]
    assert links == ["dogs", "dogs/far"]


def test_a_link_that_leads_nowhere_is_found(tree: Path) -> None:
    assert broken_links(tree) == []
    (tree / "dogs/gone").symlink_to("/nowhere/at/all")
    assert broken_links(tree) == [tree / "dogs/gone"]
    with pytest.raises(DatasetError, match=r"dogs/gone is a link to /nowhere/at/all, .*; mount"):
        refuse_broken_links([tree / "cats", tree / "cats/1", tree])


def test_a_link_to_a_folder_around_it_is_refused(tree: Path) -> None:
    (tree / "dogs/again").symlink_to(tree)
    with pytest.raises(DatasetError, match="dogs/again is a link to a folder that it lies in"):
        list(files_below(tree))


def test_a_folder_behind_a_broken_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "raw").symlink_to("/nowhere/at/all")
    with pytest.raises(
        DatasetError, match=r"raw is a link to /nowhere/at/all, which does not exist"
    ):
        require_folder(tmp_path / "raw", "a folder of images")
