"""Images that travel in a bundle with the logits that its model gave for them where it was made."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from kdtasks.core.errors import BundleError, explained
from kdtasks.edge.bundle_files import BundleFiles
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Logits, Pixels, Segments


@dataclass(frozen=True)
class SelfTest:
    """Inputs and expected outputs; K is the number of exits.

    Attributes:
        images: uint8 [M, height, width, channels], raw pixels.
        logits: float32 [M, K, classes], or [M, K, height, width, classes] for masks.
        tolerance: float32 [K], how far a logit of each exit may be from the expected one; other
            processors round differently.
    """

    images: Pixels
    logits: Logits
    tolerance: Logits

    def to_bytes(self) -> bytes:
        """Give the content of `self_test.npz`, the same for the same arrays."""
        file = io.BytesIO()
        np.savez(file, images=self.images, logits=self.logits, tolerance=self.tolerance)
        return file.getvalue()

    def check(self, segments: Segments) -> int:
        """Run every image through every segment; gives the number of images.

        Raises:
            BundleError: a logit differs by more than the tolerance; the first such is named.
        """
        for index, (image, expected) in enumerate(zip(self.images, self.logits, strict=True)):
            for exit_index, logits in enumerate(segments.steps(image)):
                # `~(… <= …)` so that a logit that is no number fails as well.
                wrong = ~(np.abs(logits - expected[exit_index]) <= self.tolerance[exit_index])
                if wrong.any():
                    position = np.unravel_index(int(wrong.argmax()), wrong.shape)
                    at = (
                        int(position[0]) if len(position) == 1 else [int(axis) for axis in position]
                    )
                    raise BundleError(
                        f"the self-test fails at image {index}, exit {exit_index}: logit {at} is "
                        f"{logits[position]:.6g}, {expected[exit_index][position]:.6g} was "
                        f"expected, within {self.tolerance[exit_index]:.3g}; this device's LiteRT "
                        "does not run the model as it was made, try another version of it"
                    )
        return len(self.images)


def load_self_test(files: BundleFiles, manifest: Manifest, segments: Segments) -> SelfTest | None:
    """Give the self-test of a bundle that is open, null where it has none.

    Raises:
        BundleError: it should have one that is missing, damaged or another model's.
    """
    if manifest.self_test is None:
        return None
    name, rows, exits = manifest.self_test["file"], manifest.self_test["images"], segments.count
    content = files.checked(name, manifest.self_test["sha256"])
    fitting = {
        "images": ("|u1", (rows, *segments.input_shape)),
        "logits": ("<f4", (rows, exits, *segments.logits_shape)),
        "tolerance": ("<f4", (exits,)),
    }
    problem = f"{files.where(name)} is damaged"
    with explained(BundleError, problem, "fetch the bundle again", Exception):
        found = array_headers(content)
    if found != fitting:
        raise BundleError(
            f"{files.where(name)} holds (dtype and shape) {found}, {fitting} fit the model and "
            "its manifest: export the bundle again"
        )
    # Shapes are right, so what follows takes no more memory than they say.
    with (
        explained(BundleError, problem, "fetch the bundle again", Exception),
        np.load(io.BytesIO(content), allow_pickle=False) as arrays,
    ):
        return SelfTest(**{key: arrays[key] for key in fitting})


def array_headers(content: bytes) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Read what an `.npz` says of its arrays, name to (dtype, shape); no number is unpacked.

    Raises:
        Exception: of any kind, where it is damaged.
    """
    headers = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.namelist():
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
            headers[entry.removesuffix(".npy")] = (dtype.str, tuple(shape))
    return headers
