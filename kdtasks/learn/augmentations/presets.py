"""Lists of transforms under a name."""

from typing import Any

from kdtasks.core.errors import did_you_mean

PRESETS: dict[str, list[Any]] = {
    "none": [],
    # For aligned things that must not be mirrored, as digits.
    "light": [
        {"name": "rotation", "degrees": 10.0},
        {"name": "zoom", "fraction": 0.1},
        {"name": "shift", "fraction": 0.07},
    ],
    "photo": [
        "horizontal_flip",
        {"name": "random_crop", "min_area": 0.6},
        {"name": "brightness", "strength": 0.2},
        {"name": "contrast", "strength": 0.2},
        {"name": "saturation", "strength": 0.2},
        {"name": "hue", "turn": 0.02},
    ],
    # For many epochs, and for teachers that students shall follow on anything.
    "strong": [
        {"name": "rotation", "degrees": 10.0},
        "horizontal_flip",
        {"name": "random_crop", "min_area": 0.35},
        {"name": "brightness", "strength": 0.4},
        {"name": "contrast", "strength": 0.4},
        {"name": "saturation", "strength": 0.4},
        {"name": "hue", "turn": 0.05},
        {"name": "blur", "sigma": 1.0, "probability": 0.2},
        {"name": "noise", "strength": 0.04},
        {"name": "random_erasing", "probability": 0.25},
        {"name": "cutmix", "probability": 0.5},
    ],
}


def preset_or_list(value: Any) -> Any:
    """Return the transforms of a preset; what is no name comes back as it is.

    Raises:
        ValueError: there is no such preset.
    """
    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(
            f"got {value!r}; allowed: a list of transforms, or one of "
            f"{', '.join(PRESETS)}{did_you_mean(value, list(PRESETS))}"
        )
    return PRESETS[value]
