"""Open a bundle in any of its forms, and make sure that its parts belong together."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import BundleError
from kdtasks.edge.bundle_files import MODEL, Contents, open_contents
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments

# Task to the class of this package that serves it.
SERVED_BY = {"classification": "Model", "segmentation": "Segmenter"}
FILE = "self_test.npz"


@dataclass(frozen=True)
class SelfTest:
    """Inputs and expected outputs; K is the number of exits.

    Attributes:
        images: uint8 [M, height, width, channels], raw pixels.
        logits: float32 [M, K, classes], or [M, K, height, width, classes] for masks.
        tolerance: float32 [K], how far a logit of each exit may be from the expected one; other
            processors round differently.
    """

    images: npt.NDArray[np.uint8]
    logits: npt.NDArray[np.float32]
    tolerance: npt.NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Give the content of `self_test.npz`, the same for the same arrays."""
        file = io.BytesIO()
        np.savez(file, images=self.images, logits=self.logits, tolerance=self.tolerance)
        return file.getvalue()

    def check(self, segments: Segments) -> int:
        """Run every picture through every segment; gives the number of pictures.

        Raises:
            BundleError: a logit differs by more than the tolerance; the first such is named.
        """
        for index, (image, expected) in enumerate(zip(self.images, self.logits, strict=True)):
            for exit_index, logits in enumerate(segments.steps(image)):
                # `~(… <= …)` so that a logit that is no number fails as well.
                wrong = ~(np.abs(logits - expected[exit_index]) <= self.tolerance[exit_index])
                if wrong.any():
                    place = np.unravel_index(int(wrong.argmax()), wrong.shape)
                    at = int(place[0]) if len(place) == 1 else [int(axis) for axis in place]
                    raise BundleError(
                        f"the self-test fails at picture {index}, exit {exit_index}: logit {at} is "
                        f"{logits[place]:.6g}, {expected[exit_index][place]:.6g} was expected, "
                        f"within {self.tolerance[exit_index]:.3g}; this device's LiteRT does not "
                        "run the model as it was made, try another version of it"
                    )
        return len(self.images)


class OpenBundle:
    """A bundle of any task, opened and checked.

    Attributes:
        manifest: what the bundle says of itself.
        segments: its model.
    """

    manifest: Manifest
    segments: Segments
    _self_test: SelfTest | None = None

    def __init__(self, bundle: Path | str, threads: int = 1) -> None:
        """Open a bundle.

        Args:
            bundle: a folder with `model.tflite` and `manifest.json`, a `.kdz` file, or a bare
                `.tflite` that was exported by kdtasks.
            threads: threads of the LiteRT interpreter.

        Raises:
            BundleError: the bundle is incomplete or damaged.
        """
        with open_contents(Path(bundle)) as contents:
            self.manifest = contents.manifest()
            self.segments = Segments(contents.checked(MODEL, self.manifest.sha256), threads)
            self._self_test = load_self_test(contents, self.manifest, self.segments)

    @property
    def test_images(self) -> npt.NDArray[np.uint8] | None:
        """Pictures of the self-test, uint8 [M, height, width, channels]; null where it has none."""
        return self._self_test.images if self._self_test else None

    def self_test(self) -> int:
        """Compare this device's answers to the stored pictures with the expected ones.

        Every segment runs, whatever the thresholds.

        Returns: the number of pictures.

        Raises:
            BundleError: the first logit beyond its tolerance, or the bundle has no self-test.
        """
        if self._self_test is None:
            raise BundleError(
                f"the bundle of {self.manifest.name} has no self-test; export it again, and give "
                "its folder or its .kdz file, a bare .tflite has none"
            )
        return self._self_test.check(self.segments)


def check_bundle(segments: Segments, manifest: Manifest, *, task: str) -> None:
    """Refuse a model that is not what its manifest says, or is for another task than `task`.

    Raises:
        BundleError: it is.
    """
    if manifest.task != task:
        advice = f"use {SERVED_BY[manifest.task]}" if manifest.task in SERVED_BY else "export again"
        raise BundleError(
            f"the bundle's task is {manifest.task}; {SERVED_BY[task]} serves {task}, {advice}"
        )
    sides = segments.input_shape[:2] if task == "segmentation" else ()
    found = (segments.count, segments.input_shape, segments.logits_shape)
    told = (manifest.segments, manifest.input_shape, (*sides, len(manifest.class_names)))
    if found != told:
        raise BundleError(
            f"the model has (segments, input shape, logits shape) {found}, its manifest says "
            f"{told}; export the bundle again"
        )


def load_self_test(contents: Contents, manifest: Manifest, segments: Segments) -> SelfTest | None:
    """Give the self-test of a bundle that is open, null where it has none.

    Raises:
        BundleError: it should have one that is missing, damaged or another model's.
    """
    if manifest.self_test is None:
        return None
    name = manifest.self_test["file"]
    content = contents.checked(name, manifest.self_test["sha256"])
    return _parse(content, contents.where(name), segments)


def _parse(content: bytes, where: str, segments: Segments) -> SelfTest:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            test = SelfTest(arrays["images"], arrays["logits"], arrays["tolerance"])
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{where} is damaged ({error}); fetch the bundle again") from None
    pictures, exits = len(test.images), segments.count
    found = (test.images.dtype, test.images.shape, test.logits.shape, test.tolerance.shape)
    fitting = (
        np.dtype(np.uint8),
        (pictures, *segments.input_shape),
        (pictures, exits, *segments.logits_shape),
        (exits,),
    )
    if found != fitting:
        raise BundleError(
            f"{where} holds images {found[0]} {list(found[1])}, logits {list(found[2])} and "
            f"tolerances {list(found[3])}; {fitting[0]} {list(fitting[1])}, {list(fitting[2])} and "
            f"{list(fitting[3])} fit the model: export the bundle again"
        )
    return test
