"""Masks find their images by name, however they are called after them."""

from pathlib import Path
from unicodedata import normalize

import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.data.pairs import Pair, find_pairs, suffix_sentence


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def pairs(root: Path, images: str = ".", masks: str = ".", suffix: str | None = None) -> list[str]:
    found = find_pairs(root, root / images, root / masks, suffix)
    return [
        f"{one.image.name} {one.mask.name}" if isinstance(one, Pair) else " ".join(one)
        for one in (_words(each) for each in found)
    ]


def _words(found: Pair | Problem) -> Pair | tuple[str, str]:
    return found if isinstance(found, Pair) else (found.path, found.problem)


@pytest.mark.parametrize("suffix", ["_mask", "-masks", "_label", ".seg", " gt", "_Segmentation"])
def test_masks_beside_their_images(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, "a.jpg", f"a{suffix}.png", "b.jpg", f"b{suffix}.png", "c.jpg")
    assert pairs(tmp_path) == [
        f"a.jpg a{suffix}.png",
        f"b.jpg b{suffix}.png",
        "c.jpg an image without a mask",
    ]


def test_a_number_after_a_name_makes_no_mask(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a1.jpg", "a10.jpg")
    with pytest.raises(DatasetError, match=r"none of the 3 images has a mask: a\.jpg needs a\.png"):
        pairs(tmp_path)


def test_in_a_folder_of_their_own_masks_may_have_any_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg", "images/10.jpg", "masks/1_L.png", "masks/10_L.png")
    assert pairs(tmp_path, "images", "masks") == ["1.jpg 1_L.png", "10.jpg 10_L.png"]


def test_where_names_are_the_same_no_suffix_is_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/b.jpg", "masks/a.png", "masks/b_mask.png")
    assert pairs(tmp_path, "images", "masks") == [
        "a.jpg a.png",
        "images/b.jpg an image without a mask",
        "masks/b_mask.png a mask without an image",
    ]
    assert pairs(tmp_path, "images", "masks", "_mask") == ["a.jpg a.png", "b.jpg b_mask.png"]


def test_names_are_the_same_in_either_form_of_unicode(tmp_path: Path) -> None:
    composed, decomposed = normalize("NFC", "Grün"), normalize("NFD", "Grün")
    touch(tmp_path, f"images/{composed}.jpg", f"masks/{decomposed}.png")
    assert len(pairs(tmp_path, "images", "masks")) == 1
    touch(tmp_path, f"both/{decomposed}.jpg", f"both/{composed}_mask.png")
    assert pairs(tmp_path, "both", "both") == [f"{decomposed}.jpg {composed}_mask.png"]


def test_where_nothing_fits_one_sentence_shows_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path, *(f"images/{number}.jpg" for number in range(20)), "masks/x-3.png")
    message = (
        r"^none of the 20 images has a mask: images/0\.jpg needs 0\.png or 0_mask\.png in masks/, "
        r"which holds x-3\.png; rename the masks, set data\.source\.mask_suffix to .*$"
    )
    with pytest.raises(DatasetError, match=message):
        pairs(tmp_path, "images", "masks")
    (tmp_path / "masks" / "x-3.png").unlink()
    with pytest.raises(DatasetError, match="in masks/, which has no mask; rename"):
        pairs(tmp_path, "images", "masks")


def test_what_was_found_is_said() -> None:
    found = [Pair(Path("a.jpg"), Path("a_mask.png")), Pair(Path("b.jpg"), Path("b_mask.png"))]
    (told,) = suffix_sentence(found)
    assert told.startswith("masks are called as their images and '_mask': 2 masks (data.source.m")
    assert suffix_sentence([Pair(Path("a.jpg"), Path("a.png"))]) == []


def test_folders_may_lie_in_folders(tmp_path: Path) -> None:
    touch(tmp_path, "images/x/a.jpg", "images/y/a.jpg", "masks/x/a.png", "masks/y/a.png")
    found = list(find_pairs(tmp_path, tmp_path / "images", tmp_path / "masks", None))
    assert [[path.parent.name for path in one] for one in found] == [["x", "x"], ["y", "y"]]  # type: ignore[union-attr]


@pytest.mark.parametrize("frame", ["000313", "000019"])  # all images may end in one number, too
def test_streets_as_a_well_known_dataset_has_them(tmp_path: Path, frame: str) -> None:
    for scene in ("aachen/aachen_000000_000019", f"bochum/bochum_000000_{frame}"):
        touch(tmp_path, f"leftImg8bit/{scene}_leftImg8bit.png")
        touch(tmp_path, *(f"gtFine/{scene}_gtFine_{kind}.png" for kind in ("color", "labelIds")))
    found = pairs(tmp_path, "leftImg8bit", "gtFine", "_gtFine_labelIds")
    assert found == [
        "aachen_000000_000019_leftImg8bit.png aachen_000000_000019_gtFine_labelIds.png",
        f"bochum_000000_{frame}_leftImg8bit.png bochum_000000_{frame}_gtFine_labelIds.png",
    ]
    (told,) = suffix_sentence([Pair(*(Path(name) for name in one.split())) for one in found])
    assert told.startswith(
        "masks are called as their images and 'gtFine_labelIds' in place of 'leftImg8bit': 2 masks"
    )


def test_two_masks_of_one_image_are_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/b.jpg", "masks/a.png", "masks/a_mask.png")
    touch(tmp_path, "masks/b_mask.png", "masks/b_other.png")
    assert pairs(tmp_path, "images", "masks", "_mask") == [
        "masks/a_mask.png named like masks/a.png",
        "a.jpg a.png",
        "b.jpg b_mask.png",
    ]
