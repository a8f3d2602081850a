"""The files of a bundle, whatever form it comes in: a folder, a `.kdz`, a bare `.tflite`."""

import contextlib
import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kdtasks.core.errors import BundleError, explained
from kdtasks.core.safe_files import why_unsafe
from kdtasks.edge.manifest import NAME, Manifest, parse_manifest, read_metadata

MANIFEST = "manifest.json"
MODEL = "model.tflite"
SELF_TEST = "self_test.npz"
SBOM = "sbom.cdx.json"
CARD = "card.md"  # beside a bundle that is packed or published; no part of the bundle itself
SUFFIX = ".kdz"
MOST_FILES = 100
# A manifest takes twenty times its bytes in memory; LiteRT's files end at 2 GiB.
_MOST_BYTES = {MANIFEST: 2**24}
_MOST_MODEL_BYTES = 2**31


def read_manifest(bundle: Path) -> Manifest:
    """Read the manifest of a bundle: a folder, a `.kdz` file, or a bare `.tflite`.

    A bare `.tflite` tells what it has inside; `calibration`, `parameters` and `libraries` are then
    empty.

    Raises:
        BundleError: it is missing, is no manifest, is of another format version, contradicts
            itself, or stands for a variant that could not be built.
    """

    with open_bundle_files(Path(bundle)) as files:
        return files.manifest()


class BundleFiles(contextlib.AbstractContextManager["BundleFiles"]):
    """A bundle's files, read by name; use it as a context."""

    def __init__(self, bundle: Path) -> None:
        """Open a bundle.

        Args:
            bundle: a folder, which may lack files, or a `.kdz`, which is checked now and again when
                a file is read.

        Raises:
            BundleError: the folder holds a link (but to an object of DVC's cache), a pipe, a socket
                or a device; the `.kdz` is no zip, or holds what no bundle does: folders, paths
                that lead out of it, one name twice, compressed or encrypted files, more bytes than
                itself.
        """
        self.path = bundle
        self._archive = None if bundle.is_dir() else _open_archive(bundle)
        self._root = zipfile.Path(self._archive) if self._archive else bundle
        for name in () if self._archive else sorted(path.name for path in bundle.iterdir()):
            if not name.startswith(".") and (kind := why_unsafe(bundle / name)):
                raise BundleError(
                    f"{bundle} holds {name!r}, {kind}; a bundle has files alone: copy what it "
                    "stands for, or remove it"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its files, sorted, without hidden ones, which others have put there."""
        names = (file.name for file in self._root.iterdir() if file.is_file())
        return tuple(sorted(name for name in names if not name.startswith(".")))

    def where(self, name: str) -> str:
        """What to call a file in an error."""
        return f"{name} in {self.path}" if self._archive else str(self.path / name)

    def read(self, name: str) -> bytes:
        """Give the content of a file.

        Raises:
            BundleError: it is missing, or cannot be read.
        """
        file, where = self._root / name, self.where(name)
        if not file.is_file() and name == MANIFEST:
            raise BundleError(
                f"{self.path} is no bundle, it has no {MANIFEST}; give the folder of a bundle, "
                f"such as `kdtasks run` writes below bundles/, or a {SUFFIX} file"
            )
        if not file.is_file():
            raise BundleError(
                f"{where} was not found; give a whole bundle, fetch or export it again"
            )
        most = _MOST_BYTES.get(name, _MOST_MODEL_BYTES)
        # A damaged zip may fail in any way inside its reader.
        with explained(BundleError, f"{where} cannot be read", "fetch the bundle again", Exception):
            with file.open("rb") as opened:
                content: bytes = opened.read(most + 1)
            if len(content) > most:
                raise ValueError(f"it has more than {most:,} bytes")
            return content

    def manifest(self) -> Manifest:
        """Read what the bundle says of itself.

        Raises:
            BundleError: as `kdtasks.edge.bundle_files.read_manifest`.
        """
        return parse_manifest(self.read(MANIFEST), self.where(MANIFEST))

    def checked(self, name: str, sha256: str) -> bytes:
        """Give the content of a file whose hash is known.

        Raises:
            BundleError: it is missing, or another one.
        """
        content = self.read(name)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise BundleError(
                f"{self.where(name)} has the SHA-256 {found}, {MANIFEST} says {sha256}; "
                "the file is damaged or not the bundle's own, fetch the bundle again"
            )
        return content

    def __exit__(self, *_: object) -> None:
        """Close the file that it is in, if it is in one."""
        if self._archive:
            self._archive.close()


class BareModel(BundleFiles):
    """A `.tflite` that says of itself what a bundle's manifest would."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises a BundleError where it cannot be, or says nothing of itself."""
        self.path, self._archive = path, None
        with explained(BundleError, f"{path} cannot be read", "fetch it again", OSError):
            content = path.read_bytes()
        embedded = read_metadata(content, str(path))
        if embedded is None:
            raise BundleError(
                f"{path} has no metadata {NAME}, which tells classes and thresholds; give the "
                "folder of a bundle, or a .tflite of one that this version of kdtasks exported"
            )
        problem = f"{self.where(MANIFEST)} cannot be read"
        unknown: dict[str, object] = {"calibration": {}, "parameters": {}, "libraries": {}}
        causes = (ValueError, TypeError, RecursionError)
        with explained(BundleError, problem, "export the bundle again", *causes):
            known = dict(json.loads(embedded))
        own = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        self._files = {MANIFEST: json.dumps(unknown | known | own).encode(), MODEL: content}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files that a folder would have."""
        return tuple(self._files)

    def where(self, name: str) -> str:
        """What to call a file in an error."""
        return str(self.path) if name == MODEL else f"the metadata of {self.path}"

    def read(self, name: str) -> bytes:
        """Give the model, or the manifest that it stands for."""
        if name not in self._files:
            raise BundleError(f"{self.path} is a model alone, without {name}; give its bundle")
        return self._files[name]


def open_bundle_files(bundle: Path) -> BundleFiles:
    """Open a bundle: a folder, a `.kdz` file, or a bare `.tflite`.

    Raises:
        BundleError: there is nothing of the kind.
    """
    if bundle.is_dir() or (bundle.is_file() and bundle.suffix == SUFFIX):
        return BundleFiles(bundle)
    if bundle.is_file() and bundle.suffix == ".tflite":
        return BareModel(bundle)
    raise BundleError(
        f"{bundle} {'is no bundle' if bundle.exists() else 'was not found'}; give the folder of a "
        f"bundle, a {SUFFIX} file or a .tflite"
    )


def _open_archive(path: Path) -> zipfile.ZipFile:
    problem = f"{path} is no whole .kdz file"
    with explained(BundleError, problem, "fetch or pack it again", Exception):
        archive = zipfile.ZipFile(path)
    for problem in _problems(archive.infolist(), path.stat().st_size):
        archive.close()
        raise BundleError(
            f"{path} {problem}; only what `kdtasks pack` writes is opened, pack it again"
        )
    return archive


def _problems(entries: list[zipfile.ZipInfo], size: int) -> Iterator[str]:
    """What an archive of so many bytes holds that no bundle does."""
    if len(entries) > MOST_FILES:
        yield f"holds {len(entries)} files, a bundle has a few"
    for name, count in Counter(entry.filename for entry in entries).items():
        if count > 1:
            yield f"holds {name!r} twice"
    claimed = sum(entry.file_size for entry in entries)
    if claimed > size:
        yield f"claims {claimed:,} bytes of files in {size:,} of its own"
    for entry in entries:
        name = entry.filename
        if not name or name.startswith(".") or set(name) & set("/\\:\0"):
            yield f"holds {name!r}, a bundle's files lie side by side, without folders"
        if entry.flag_bits & 0x1:
            yield f"holds {name!r} encrypted"
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            yield f"holds {name!r} compressed, a bundle's files are stored as they are"


def open_bundle(folder: Path) -> Manifest:
    """Read the manifest of a bundle that a command line names: a folder or a file.

    Raises:
        BundleError: it is no bundle, or a folder that holds bundles; then they are listed.
    """
    try:
        return read_manifest(folder)
    except BundleError:
        inside = []
        for path in sorted(folder.glob(f"*/{MANIFEST}")):
            with contextlib.suppress(BundleError):  # a variant that could not be built is no bundle
                read_manifest(path.parent)
                inside.append(str(path.parent))
        if not inside or (folder / MANIFEST).exists():
            raise
        raise BundleError(
            f"{folder} is no bundle but holds some; give one of them: {', '.join(inside)}"
        ) from None
