"""Where images and labels come from: one source a file, and more in a project's `extensions/`."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from kdtasks.core.records.data import Problem
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section
from kdtasks.edge.decoder import Decoder

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Item:
    """An image and its label before they are read.

    Args:
        name: what tells a person which image it is, say its path below `data.path`.
        image: its file; or a row of an array: uint8 [height, width, 1 or 3].
        label: index of its class; or the file of its mask, which the source reads; None where the
            teacher is to answer in its place.
        split: the split that it was given before, one of `SPLITS`; None leaves it to `data.split`.
        group: images of one group, such as a burst, stay in one split; None: it is on its own.
        weight: how much its label counts in the loss of what is trained; above 0.
    """

    name: str
    image: Path | np.ndarray
    label: int | Path | None
    split: str | None = None
    group: str | None = None
    weight: float = 1.0


class Example(NamedTuple):
    """An image, uint8 [height, width, channels], and its label, as `Source.label_of`."""

    name: str
    image: np.ndarray
    label: np.ndarray


class Source(Section):
    """A kind of dataset; its fields are what it alone has to be told.

    Its methods get `data.path` as `folder`.

    Attributes:
        task: what its labels are, the name of a task.
        is_folder: whether its images are files in folders below `data.path`, so that new ones can
            be added there.
        needs_image_size: whether its images differ in size, so that `data.image_size` must be set.
        refuses_contradictions: whether one image under two labels is the user's to fix.
    """

    task: ClassVar[str]
    is_folder: ClassVar[bool] = False
    needs_image_size: ClassVar[bool] = False
    refuses_contradictions: ClassVar[bool] = False

    name: str

    @property
    def teacher_labelled(self) -> tuple[str, ...]:
        """Splits whose images have no label: the teacher's answers stand in their place."""
        return ()

    @property
    def ignore_label(self) -> int | None:
        """The label of pixels without a class."""
        return None

    @property
    def mask_values(self) -> Mapping[str, str | int]:
        """The colour or index of each class in the masks; empty where there are none."""
        return {}

    def check(self, image_size: Size | None) -> None:
        """Raise ValueError if the source cannot do with a `data.image_size`."""
        if self.needs_image_size and image_size is None:
            raise ValueError(f"image_size is null; {self.name} needs [height, width]")

    @abstractmethod
    def class_names(self, folder: Path) -> tuple[str, ...]:
        """Name the classes in order of their labels."""

    @abstractmethod
    def items(self, folder: Path) -> Iterable[Item | Problem]:
        """List the images below `data.path`, unread; a problem stands in the place of a bad one.

        Raises:
            DatasetError: nothing can be read at all.
        """

    def for_folder(self) -> "Source":
        """Give the source that reads a further folder: class folders where the own is no folder."""
        return self if self.is_folder else sources["image_folder"].model_validate({})

    def slices(self, folder: Path) -> Mapping[str, str]:
        """Say which slice an image belongs to, say `camera=left`, by the name of its item."""
        return {}

    def layout_found(self, folder: Path) -> Sequence[str]:
        """Say in sentences what the folder was taken for, to be checked by a person."""
        return ()

    def warnings(self, folder: Path) -> Sequence[str]:
        """Say in sentences what a person should look into before anything is trained."""
        return ()

    def resolved(
        self, folder: Path, items: Sequence[Item], decoder: Decoder
    ) -> tuple["Source", Sequence[str]]:
        """Find out what the files alone can tell.

        Returns:
            the source that reads them, and sentences that say what was found.
        """
        return self, ()

    def remarks(self) -> Sequence[str]:
        """Say in sentences what was noticed while items were read, of a source of `resolved`."""
        return ()

    def label_of(self, folder: Path, item: Item, decoder: Decoder) -> np.ndarray:
        """Return the label: int32 [], −1 of none, or the whole image's mask, uint8 [height, width].

        Raises:
            UnusableFileError: the file of the mask cannot be used.
        """
        return np.array(-1 if item.label is None else item.label, np.int32)

    def examples(
        self,
        folder: Path,
        item: Item,
        decoder: Decoder,
        image_size: Size | None,
        channels: int | None,
    ) -> Sequence[Example]:
        """Read what the dataset holds of an item: here its image, as a whole.

        Args:
            decoder: reads images.
            image_size: height and width; None keeps the image's own.
            channels: 1 or 3; None keeps the array's own, and makes 3 of a file.

        Raises:
            DatasetError: in a few words, the image cannot be used.
            UnusableFileError: another file cannot be.
        """
        image = decoder.read(item.image, image_size=image_size, channels=channels).pixels
        return [Example(item.name, image, self.label_of(folder, item, decoder))]

    def pieces(
        self,
        name: str,
        image: Path | np.ndarray,
        decoder: Decoder,
        image_size: Size | None,
        channels: int,
        piece_size: Size | None = None,
    ) -> Sequence[tuple[str, np.ndarray]]:
        """Read an image without its label, as `examples` reads one with it: names and images.

        Args:
            name: what tells a person which image it is.
            image: as of `Item`.
            decoder: the dataset's.
            image_size: as of `examples`; of images that are not cut, the dataset's own.
            channels: 1 or 3.
            piece_size: height and width of what `examples` gives in the dataset's, where these are
                others; of the same original.

        Raises:
            DatasetError: in a few words, the image cannot be used.
        """
        found = decoder.read(image, image_size=piece_size or image_size, channels=channels)
        return [(name, found.pixels)]


sources = Registry("source", __name__, Source)
