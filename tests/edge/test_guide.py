"""The snippets of the guide, run as they stand, see the very pixels that `prepare` makes."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdtasks.data.read import read_dataset
from kdtasks.data.settings import DataParams
from kdtasks.edge.decoder import ImageError
from tests.edge.conftest import SHAPE
from tests.tools.deep_images import deep_png
from tests.tools.photos import photos

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def snippet() -> str:
    """The code under "Shipping"."""
    section = GUIDE.read_text(encoding="utf-8").split("\n## Shipping\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


def write_photo(path: Path, kind: str) -> None:
    colours = photos(1, (90, 120))[0]
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = np.tile(np.linspace(0, 255, 120).astype(np.uint8), (90, 1))
    match kind:
        case "transparent":
            Image.fromarray(np.dstack([colours, alpha])).save(path, "PNG")
        case "deep":
            path.write_bytes(deep_png(colours.astype(np.uint16) * 16))
        case "deep grey":
            Image.fromarray(colours[..., 0].astype(np.uint16) * 16).save(path, "PNG")
        case "turned":
            Image.fromarray(colours).save(path, "JPEG", exif=exif)
        case "cmyk":
            Image.fromarray(colours).convert("CMYK").save(path, "JPEG")
        case "palette":
            Image.fromarray(colours).quantize(16).save(path, "GIF")


KINDS = ["transparent", "deep", "deep grey", "turned", "cmyk", "palette"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_snippet_answers_as_the_pipeline_prepares(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_bundle: Callable[..., Path],
    kind: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "photo.jpg", kind)
    for name in ("cat", "dog"):
        (tmp_path / "raw" / name).mkdir(parents=True)
        shutil.copy(tmp_path / "photo.jpg", tmp_path / "raw" / name)
    height, width, channels = SHAPE
    shares = {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}
    data = DataParams.model_validate(
        {
            "source": "image_folder",
            "path": "raw",
            "image_size": [height, width],
            "channels": channels,
            "split": shares,
        }
    )
    dataset = read_dataset(data)
    about: dict[str, Any] = {"shape": list(SHAPE), "dtype": "uint8", "range": [0, 255]}
    if dataset.deep_range:
        about["deep_range"] = list(dataset.deep_range)
    shutil.copytree(make_bundle(input=about), tmp_path / "bundles" / "int8")
    found: dict[str, Any] = {}
    exec(snippet(), found)
    np.testing.assert_array_equal(found["image"], dataset.images[0])
    assert found["prediction"].label in ("ant", "bee", "cat", "dog")


def test_without_a_range_in_the_bundle_sixteen_bits_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_bundle: Callable[..., Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "photo.jpg", "deep")
    shutil.copytree(make_bundle(), tmp_path / "bundles" / "int8")
    with pytest.raises(ImageError, match="16 bits a channel, and the values that are black and"):
        exec(snippet(), {})
