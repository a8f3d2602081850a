"""A prepared dataset that is described, but has no arrays."""

from pathlib import Path

from kdtasks.core.records.data import SplitCounts
from kdtasks.data.prepared import DESCRIPTION, PreparedDataset


def describe_dataset(
    folder: Path,
    *,
    class_names: tuple[str, ...],
    image_shape: tuple[int, int, int],
    task: str = "classification",
    validation_rows: int = 100,
) -> PreparedDataset:
    """Write a description, and give the dataset as if it were opened."""
    (folder / DESCRIPTION).write_text('{"name": "pixels"}\n')
    return PreparedDataset(
        folder=folder,
        name="pixels",
        task=task,
        class_names=class_names,
        image_shape=image_shape,
        ignore_label=None,
        counts={"validation": SplitCounts(total=validation_rows, by_class={})},
    )
