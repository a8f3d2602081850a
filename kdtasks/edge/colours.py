"""The colour of every class in a mask: the dataset's own, or others that are easy to tell apart."""

import colorsys
import re

import numpy as np
import numpy.typing as npt

from kdtasks.edge.manifest import Manifest

# Steps of hue by the golden ratio: however many there are, no two come close.
_HUE_STEP = (5**0.5 - 1) / 2


def class_colours(manifest: Manifest) -> npt.NDArray[np.uint8]:
    """Give RGB colours, uint8 [classes, 3].

    Those of the masks that the model was trained on where these had colours, else fixed ones.
    """
    named = (manifest.parameters.get("data") or {}).get("segmentation") or {}
    texts = [str((named.get("classes") or {}).get(name)) for name in manifest.class_names]
    if all(re.fullmatch(r"#[0-9A-Fa-f]{6}", text) for text in texts):
        return np.array([list(bytes.fromhex(text[1:])) for text in texts], np.uint8)
    return spaced_colours(len(texts))


def spaced_colours(count: int) -> npt.NDArray[np.uint8]:
    """Give `count` colours, uint8 [count, 3]; the first ones do not depend on how many."""
    colours = [
        # Every eight are darker, since hues come close to each other once there are many.
        colorsys.hsv_to_rgb(index * _HUE_STEP % 1.0, 0.75, (0.95, 0.65, 0.4)[index // 8 % 3])
        for index in range(count)
    ]
    return np.rint(255 * np.array(colours).reshape(count, 3)).astype(np.uint8)
