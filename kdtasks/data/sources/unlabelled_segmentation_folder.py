"""A folder of photos without masks, which the teacher answers; a few with masks may judge."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kdtasks.core.records.data import Problem
from kdtasks.data.sources import Example, Item, Size, Source, sources
from kdtasks.data.sources.labelled_splits import LabelledSplits
from kdtasks.data.sources.segmentation_folder import SegmentationFolder
from kdtasks.edge.decoder import Decoder
from kdtasks.tasks.segmentation import Segmentation


@sources.register
class UnlabelledSegmentationFolder(LabelledSplits, SegmentationFolder):
    """Photos in folders of any depth, cut into patches, without masks but those to judge models by.

    An imported teacher's likeliest class is the label of every other pixel, so figures are
    agreement with it. `classes` are in the order of its outputs; `test` and `validation` are laid
    out as the `data.path` of `segmentation_folder`.
    """

    name: Literal["unlabelled_segmentation_folder"] = "unlabelled_segmentation_folder"  # type: ignore[assignment]

    def check(self, image_size: Size | None) -> None:
        super().check(image_size)
        if not 2 <= len(self.classes) <= Segmentation.unanswered:
            raise ValueError(
                f"source.classes names {len(self.classes)} classes; give 2 to "
                f"{Segmentation.unanswered}, in the order of the teacher's outputs"
            )

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the files of all folders, then the pairs of the labelled ones.

        Raises:
            DatasetError: a folder is missing, or no image of a labelled one has a mask.
        """
        yield from self.without_label(folder)
        for split, inner in self.labelled(folder).items():
            yield from self.paired(folder, inner, split)

    def layout_found(self, folder: Path) -> Sequence[str]:
        return ()

    def resolved(
        self, folder: Path, items: Sequence[Item], decoder: Decoder
    ) -> tuple[Source, Sequence[str]]:
        """Find out what the masks tell, of the images that have one."""
        having = [item for item in items if item.label is not None]
        return super().resolved(folder, having, decoder) if having else (self, ())

    def label_of(self, folder: Path, item: Item, decoder: Decoder) -> np.ndarray:
        if item.label is None:
            return np.array(Segmentation.unanswered, np.uint8)
        return super().label_of(folder, item, decoder)

    def examples(
        self,
        folder: Path,
        item: Item,
        decoder: Decoder,
        image_size: Size | None,
        channels: int | None,
    ) -> Sequence[Example]:
        """Read and cut the whole image, with its mask or with what the teacher is to answer."""
        if item.label is not None:
            return super().examples(folder, item, decoder, image_size, channels)
        image = decoder.read(item.image, image_size=image_size, channels=channels).pixels
        return self.cut(
            item.name, image, np.full(image.shape[:2], Segmentation.unanswered, np.uint8)
        )
