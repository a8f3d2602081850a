"""Pass on why a variant has no model: every stage after `compress` hands the reason down."""

from pathlib import Path

from kdtasks.core.files import read_json


def refusal(path: Path) -> dict[str, str] | None:
    """Give {"refused": reason} when the JSON at `path` tells of a refused variant, else None.

    Args:
        path: what the stage before wrote: metrics of `compress`, `calibration.json` or a bundle's
            `manifest.json`.
    """
    content = read_json(path)
    return {"refused": content["refused"]} if "refused" in content else None
