"""What images are, before a project of them is begun: their source, classes, sizes, colours."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.subset import evenly_spaced
from kdtasks.core.text import and_list, quantity
from kdtasks.data.proposal import Proposal
from kdtasks.data.source_proposals import find_source
from kdtasks.data.sources import Item
from kdtasks.edge.decoder import Decoder, quiet_decoding
from kdtasks.tasks.imbalance import is_uneven
from kdtasks.tasks.registry import task_of

# Of larger datasets, so many files are opened for their headers, and so many images read.
_HEADERS, _IMAGES = 5_000, 30
_SPLITS = 4
# Classes that are named in a sentence.
_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class InspectedImages(Proposal):
    """A dataset as it lies there.

    Attributes:
        items: images and labels, unread.
        class_names: in the order of their labels.
        sizes: height and width of the images that were opened, int [N, 2].
        is_grey: whether no image has colours.
        bad: what cannot be used.
    """

    items: Sequence[Item]
    class_names: tuple[str, ...]
    sizes: np.ndarray
    is_grey: bool
    bad: tuple[Problem, ...]

    @property
    def is_segmentation(self) -> bool:
        """Whether labels are masks."""
        return task_of(self.source.task).per_pixel

    @property
    def is_uneven(self) -> bool:
        """Whether one class has so many more images than another that accuracy says little."""
        return is_uneven(Counter(item.label for item in self.items if isinstance(item.label, int)))

    @property
    def side(self) -> int:
        """The shorter side of most images, in pixels: its median."""
        return int(np.median(self.sizes.min(axis=1)))

    def sentence(self) -> str:
        """Say what there is: 2 classes (cats, dogs), 3,670 images, 64 to 500 pixels."""
        low, high = self.sizes.min(), self.sizes.max()
        pixels = f"{low} to {high} pixels" if low < high else f"{low}×{low} pixels"
        what = f"{'grey ' * self.is_grey}image"
        more = ["…"] * (len(self.class_names) > _NAMED)
        names = ", ".join([*self.class_names[:_NAMED], *more])
        classes = f"{len(self.class_names)} classes ({names})"
        text = f"{classes}, {quantity(len(self.items), what)}, {pixels}"
        return f"{text}, each with a mask" if self.is_segmentation else text


def inspect_images(images: Path, masks: Path | None, task: str | None) -> InspectedImages:
    """Look at a folder of images, or at a table of them; arguments as of `find_source`.

    Raises:
        DatasetError: there is nothing to learn from, and why.
    """
    proposal = find_source(images, masks, task)
    source, folder = proposal.with_links_resolved()
    notes = [*source.layout_found(folder), *proposal.notes]
    entries = list(source.items(folder))
    items = [entry for entry in entries if isinstance(entry, Item)]
    bad = [entry for entry in entries if isinstance(entry, Problem)]
    names = source.class_names(folder)
    with quiet_decoding():
        sizes, broken = _headers(items)
        is_grey = all(_is_grey(item.image) for item in evenly_spaced(items, _IMAGES))
    if not len(sizes):
        raise DatasetError(f"{images} holds no image that can be read; export them as JPEG or PNG")
    items = [item for item in items if item.name not in {problem.path for problem in broken}]
    _refuse_few(items, names, images)
    return InspectedImages(
        **vars(proposal) | {"notes": notes},
        items=items,
        class_names=names,
        sizes=sizes,
        is_grey=is_grey,
        bad=tuple(sorted([*bad, *broken])),
    )


def write_links(folder: Path, images: InspectedImages) -> Path:
    """Put links into a folder where images and masks lie apart; give the folder to read from."""
    if not images.links:
        return images.path
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in images.links.items():
        (folder / name).symlink_to(target.resolve(), target_is_directory=True)
    return folder


def _headers(items: Sequence[Item]) -> tuple[np.ndarray, list[Problem]]:
    decoder, sizes, broken = Decoder(), [], []
    for item in evenly_spaced(items, _HEADERS):
        assert isinstance(item.image, Path)
        try:
            sizes.append(decoder.header(item.image).upright_size)
        except DatasetError as error:
            broken.append(Problem(item.name, str(error)))
    return np.array(sizes, int).reshape(-1, 2), broken


def _is_grey(image: Path | np.ndarray) -> bool:
    try:
        pixels = Decoder(deep_range=(0, 65535)).read(image, channels=3).pixels.astype(int)
    except DatasetError:  # told of elsewhere
        return True
    return bool(np.ptp(pixels, axis=-1).max() <= 2)  # of a JPEG, rounding may leave so much


def _refuse_few(items: Sequence[Item], class_names: Sequence[str], images: Path) -> None:
    """Refuse what cannot be in every split."""
    if isinstance(items[0].label, int):
        counts = Counter(item.label for item in items)
        few = [name for label, name in enumerate(class_names) if counts[label] < _SPLITS]
        if few:
            raise DatasetError(
                f"{and_list(few[:3])} of {images} "
                f"{'has' if len(few) == 1 else 'have'} fewer than {_SPLITS} images that can be "
                "read, and each class needs one for training, validation, calibration and test; "
                "add images, or take the class away"
            )
    elif len(items) < _SPLITS:
        raise DatasetError(
            f"{images} holds {quantity(len(items), 'image')} with a mask; {_SPLITS} are needed at "
            "least, one for training, validation, calibration and test each"
        )
