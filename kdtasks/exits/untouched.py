"""What stands in for a calibration where there is nothing to calibrate: masks have one exit."""

from collections.abc import Mapping
from typing import Any


def uncalibrated(compressed: Mapping[str, Any]) -> dict[str, Any]:
    """Build `calibration.json` of a variant that always runs the whole network.

    Arguments:
        compressed: content of `metrics/compress/<variant>.json`.

    Returns:
        mode `none`, a temperature of 1, no thresholds, and the `validation` figures of the
        exported file.
    """
    validation = {name: exits[-1] for name, exits in compressed["validation"].items()}
    return {
        "mode": "none",
        "score": "max_probability",
        "temperatures": [1.0],
        "thresholds": [],
        "macs": compressed["macs"][-1:],
        "validation": {**validation, "cost": 1.0},
    }
