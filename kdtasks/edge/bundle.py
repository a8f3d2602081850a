"""Open a bundle in any of its forms, and make sure that its parts belong together."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdtasks.edge.contents import MODEL, open_contents
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import SelfTest, load_self_test
from kdtasks.errors import BundleError

# Task to the class of this package that serves it.
SERVED_BY = {"classification": "Model", "segmentation": "Segmenter"}


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
