"""Lists of transforms by name."""

import numpy as np
import pytest
from pydantic import ValidationError

from kdtasks.learn.augmentations.mixing import Mixing
from kdtasks.learn.augmentations.presets import PRESETS
from kdtasks.learn.training.views import AugmentationParams, draw_view


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_list_under_a_name(name: str):
    by_name = AugmentationParams.model_validate({"transforms": name})
    by_hand = AugmentationParams.model_validate({"transforms": PRESETS[name]})
    assert by_name == by_hand
    assert by_name == AugmentationParams.model_validate(by_name.model_dump(mode="json"))


def test_what_presets_hold():
    names = {
        preset: [item["name"] if isinstance(item, dict) else item for item in items]
        for preset, items in PRESETS.items()
    }
    assert names["none"] == []
    assert not {"horizontal_flip", "vertical_flip"} & set(names["light"])  # digits may not turn
    assert set(names["photo"]) < set(names["strong"])


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_presets_serve_masks_and_grey_images(name: str, channels: int):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (9, 16, 16, channels), dtype=np.uint8)
    masks = draw.choice([0, 1, 255], (9, 16, 16)).astype(np.uint8)
    augmentation = AugmentationParams.model_validate({"transforms": name})
    assert all(item.mixes_masks for item in augmentation.of_kind(Mixing))
    found, moved = draw_view(images, masks, view=1, augmentation=augmentation)
    assert (found.shape, found.dtype, moved.dtype) == (images.shape, np.uint8, np.uint8)
    assert set(np.unique(moved)) <= {0, 1, 255}
    assert (found == images).all() == (name == "none")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValidationError, match=r"got 'foto'; .+ none, light, photo.+'photo'\?"):
        AugmentationParams.model_validate({"transforms": "foto"})
