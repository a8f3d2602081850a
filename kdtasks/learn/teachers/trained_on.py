"""Which images a teacher was trained on, so that another run does not test students on them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import TeacherError
from kdtasks.core.files import atomic_file
from kdtasks.core.safe_files import check_archive
from kdtasks.data.prepared import PreparedDataset

FILE = "trained_on.npz"
_HELD_BACK = ("validation", "calibration", "test")


@dataclass(frozen=True)
class TrainedOn:
    """The images that a teacher was trained on, in eight bytes each.

    Attributes:
        hashes: uint64 [images], as of `image_hashes`; ascending, each once.
        image_shape: height, width, channels.
    """

    hashes: npt.NDArray[np.uint64]
    image_shape: tuple[int, ...]

    @classmethod
    def of(cls, images: npt.NDArray[np.uint8]) -> Self:
        """Take in images, uint8 [N, height, width, channels]."""
        return cls(np.unique(image_hashes(images)), images.shape[1:])

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read what `write` wrote; None where there is nothing.

        Raises:
            TeacherError: the file is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            check_archive(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(arrays["hashes"], tuple(arrays["image_shape"].tolist()))
        except Exception as error:  # a damaged zip may fail in any way
            raise TeacherError(
                f"{path} is damaged ({error}); copy the teacher's folder again, or remove the file "
                "to import the teacher without a look at its images"
            ) from None

    def is_unseen(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Tell which images it is known not to hold, bool [N]; of another form nothing is known."""
        if images.shape[1:] != self.image_shape:
            return np.zeros(len(images), bool)
        return np.isin(image_hashes(images), self.hashes, invert=True)

    def write(self, folder: Path) -> None:
        """Write `trained_on.npz` into the teacher's folder: equal images give equal bytes."""
        with atomic_file(folder / FILE) as partial:
            np.savez(partial, hashes=self.hashes, image_shape=np.array(self.image_shape))


def image_hashes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Hash the pixels of each image, as `prepare` wrote them, to eight bytes (BLAKE2b).

    Of a million images and a hundred thousand others one pair is equal by chance once in a
    hundred million runs.

    Args:
        images: uint8 [N, height, width, channels].
    """
    digests = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return np.frombuffer(b"".join(digests), np.dtype("<u8")).astype(np.uint64)


def check_overlap(source: Path, dataset: PreparedDataset) -> None:
    """Refuse a teacher that was trained on images that this run holds back.

    Its answers to them would be better than to new images, and so would be figures that rest on
    them. Where nothing can be known, that is printed.

    Args:
        source: file or folder of the teacher.
        dataset: of this run.

    Raises:
        TeacherError: it was trained on some of them.
    """
    trained_on, shape = TrainedOn.read(source), dataset.images("validation").shape[1:]
    held_back = "validation, calibration or test images"
    if trained_on is None:
        print(
            f"{source} has no {FILE} and so does not say what it was trained on: whether that was "
            f"any of this run's {held_back} cannot be checked"
        )
        return
    if trained_on.image_shape != shape:
        theirs, ours = ("×".join(map(str, sizes)) for sizes in (trained_on.image_shape, shape))
        print(
            f"{source} was trained on images of {theirs}, those of this run are {ours}: whether "
            f"they are any of its {held_back} cannot be checked"
        )
        return
    overlaps = []
    for split in _HELD_BACK:
        images = dataset.images(split)
        overlap = int((~trained_on.is_unseen(images)).sum())
        if overlap:
            overlaps.append(f"{overlap:,} of {len(images):,} {split} images")
    if overlaps:
        raise TeacherError(
            f"the teacher {source} was trained on {', '.join(overlaps)} of this run, so figures of "
            "them would be too good; give `data` the seed and the split of the run that it was "
            "trained in, set data.stable_split in both, or train it again here "
            "(teacher.source: train)"
        )
