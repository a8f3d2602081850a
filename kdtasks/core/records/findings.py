"""Record of what a dataset's images look like, for the page that shows them before training."""

from typing import Literal

from kdtasks.core.records import Part, Record

# Why an image stands out; kdtasks/data/outliers.py says how each is measured.
Oddity = Literal["far", "dark", "bright", "uniform", "size"]


class Shown(Part):
    """An image on the page.

    Attributes:
        name: what tells a person which one it is, say its path.
        thumbnail: its row in `thumbnails.npz`.
        label: name of its class; of masks, and where a teacher is to answer, absent.
        given: the split that it was given before it came here; absent where none was.
        note: what is remarkable about it; absent where nothing is.
    """

    name: str
    thumbnail: int
    label: str = ""
    given: str = ""
    note: str = ""


class Listed(Part):
    """Images of one kind: how many there are, and some of them."""

    total: int
    shown: tuple[Shown, ...]


class CopyPair(Part):
    """Two images that show the same; `equal` where all pixels are."""

    first: Shown
    second: Shown
    equal: bool


class Copies(Part):
    """Pairs of copies: how many there are, of these under two labels or splits; some of them."""

    pairs: int
    two_labels: int
    two_splits: int
    shown: tuple[CopyPair, ...]


class FileSize(Part):
    """Height and width of image files, seen upright, and how many are of this size."""

    height: int
    width: int
    files: int


class MaskClass(Part):
    """Labelled pixels of a class, and images that have any of it."""

    pixels: int
    images: int


class Masks(Part):
    """What the masks hold: pixels by class, the fraction that is not labelled, images."""

    classes: dict[str, MaskClass]
    void: float
    images: int


class Findings(Record):
    """`data/findings/findings.json`: what was read, before anything was left out.

    Attributes:
        files: read by their headers; 0 of sources that hold arrays.
        formats: files by format, the commonest first.
        deep: files with 16 bits a channel.
        sizes: the commonest first, at most 500.
        brightness: images (of masks patches) in 32 equal bins of their mean level, 0 … 256.
        samples: by class; of many classes some.
        outliers: by what is odd.
        masks: absent where images have one class each.
    """

    files: int
    formats: dict[str, int]
    deep: int
    sizes: tuple[FileSize, ...]
    brightness: tuple[int, ...]
    samples: dict[str, tuple[Shown, ...]]
    outliers: dict[Oddity, Listed]
    copies: Copies
    masks: Masks | None = None
