"""Draw docs/images/augmentations.png: three views by each augmentation.

`python -m benchmarks.augmentation_images`
"""

from pathlib import Path

import numpy as np

from kdtasks.learn.augmentations import augmentations
from kdtasks.learn.training.views import AugmentationParams, draw_view
from kdtasks.report.contact_sheet import draw_sheet

PATH = Path("docs/images/augmentations.png")
VIEWS = 3

# Stronger than the defaults, so that it shows.
SETTINGS = {
    "rotation": {"degrees": 30.0},
    "zoom": {"fraction": 0.4},
    "shift": {"fraction": 0.2},
    "random_crop": {"min_area": 0.3},
    "brightness": {"strength": 0.5},
    "contrast": {"strength": 0.8},
    "saturation": {"strength": 1.0},
    "hue": {"turn": 0.2},
    "blur": {"sigma": 2.0},
    "noise": {"strength": 0.2},
    "mixup": {"alpha": 8.0},
}


def photos() -> np.ndarray:
    """Squares of two photos, uint8 [2, 112, 112, 3]."""
    import PIL.Image
    from sklearn.datasets import load_sample_image

    squares = [("flower.jpg", 190), ("china.jpg", 160)]
    return np.stack(
        [
            np.asarray(
                PIL.Image.fromarray(load_sample_image(name)[:, left : left + 427]).resize(
                    (112, 112)
                )
            )
            for name, left in squares
        ]
    )


def main() -> None:
    """Write the image."""
    import PIL.Image

    images, labels = photos(), np.arange(2, dtype=np.int32)
    parts = []
    for kind in sorted(augmentations, key=lambda kind: kind.order):
        name = kind.model_fields["name"].default
        settings = {"name": name, **SETTINGS.get(name, {})}
        if "probability" in kind.model_fields:
            settings["probability"] = 1.0
        params = AugmentationParams.model_validate({"transforms": [settings]})
        numbers = range(1, VIEWS + 1)
        views = [
            draw_view(images, labels, view=view, augmentation=params)[0][0] for view in numbers
        ]
        parts.append((views, [name, "", ""]))
    parts += [([images[0]] * VIEWS, ["as it is", "", ""])] * (len(parts) % 2)
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    cells = [[*one[0], *other[0]] for one, other in pairs]
    captions = [[*one[1], *other[1]] for one, other in pairs]
    page = draw_sheet(cells, captions, "Three views by each augmentation", [""] * 6, {})
    page.quantize(160, method=PIL.Image.Quantize.MEDIANCUT).save(PATH, optimize=True)


if __name__ == "__main__":
    main()
