"""Images without labels, beside folders of labelled ones that judge the models."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from kdtasks.data.folders import files_below, relative_name, require_folder
from kdtasks.data.prepared import SPLITS
from kdtasks.data.sources import Item, Source


class LabelledSplits(Source):
    """A source whose images have no label, but for those of the splits that judge models."""

    test: str | None = Field(
        default=None,
        description="folder below `data.path` of labelled images, which are the test split; null: "
        "there are none, and accuracy stays unknown",
    )
    validation: str | None = Field(default=None, description="the same for the validation split")

    @property
    def teacher_labelled(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if split not in self._names)

    @property
    def _names(self) -> dict[str, str]:
        folders = {"validation": self.validation, "test": self.test}
        return {split: name for split, name in folders.items() if name is not None}

    def labelled(self, folder: Path) -> dict[str, Path]:
        """Give the folder of each split that has labels.

        Raises:
            DatasetError: one is missing.
        """
        return {
            split: require_folder(
                folder / name, "a folder of labelled images", key=f"data.source.{split}"
            )
            for split, name in self._names.items()
        }

    def without_label(self, folder: Path) -> Iterator[Item]:
        """List the images in all other folders, of any depth.

        Raises:
            DatasetError: a folder is missing.
        """
        require_folder(folder, "the folder that holds the images")
        labelled = self.labelled(folder).values()
        for path in files_below(folder):
            if not any(path.is_relative_to(inner) for inner in labelled):
                yield Item(relative_name(path, folder), path, None)
