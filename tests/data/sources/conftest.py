"""Sources loaded from the photos of a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.data.prepare import load_dataset
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import sources


def tree(*folders: str, each: int = 6) -> list[str]:
    """Name images in folders, for the fixture `photos`."""
    return [f"{folder}/{number}.png" for folder in folders for number in range(each)]


@pytest.fixture
def load_source(data_params: Callable[..., DataParams]) -> Callable[..., RawDataset]:
    """Load a folder by a source; keys that are no field of the source are those of `data`."""

    def load(name: str, folder: Path, **keys: Any) -> RawDataset:
        fields = sources[name].model_fields
        source = {"name": name, **{key: keys.pop(key) for key in fields if key in keys}}
        return load_dataset(data_params(source, path=str(folder), image_size=[8, 8], **keys))

    return load


def classes_of(dataset: RawDataset) -> dict[str, str]:
    """The class of each image, by its path."""
    return {
        origin: dataset.class_names[label]
        for origin, label in zip(dataset.origins, dataset.labels.tolist(), strict=True)
    }


def write_table(folder: Path, text: str, name: str = "labels.csv") -> None:
    (folder / name).write_text(text, encoding="utf-8")
