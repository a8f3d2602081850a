"""The folder of a bundle that is one file, for whoever needs its files on the disk."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kdtasks.edge.contents import open_contents


@contextlib.contextmanager
def as_folder(bundle: Path) -> Iterator[Path]:
    """Yield a bundle's folder: its own, or for the while one with the files of a `.kdz`.

    A bare `.tflite` gets the manifest that it has inside as a file.

    Raises:
        BundleError: it is neither, or damaged.
    """
    if not bundle.is_file():
        yield bundle  # whoever reads it says what is missing
        return
    with tempfile.TemporaryDirectory(prefix="kdtasks-bundle-") as folder:
        with open_contents(bundle) as contents:
            for name in contents.names:
                (Path(folder) / name).write_bytes(contents.read(name))
        yield Path(folder)
