"""The files of a bundle, whatever form it comes in: a folder, a `.kdz`, a bare `.tflite`."""

import contextlib
import hashlib
import json
import zipfile
from pathlib import Path

from kdtasks.core.errors import BundleError
from kdtasks.edge.manifest import NAME, Manifest, parse_manifest, read_metadata

MANIFEST = "manifest.json"
MODEL = "model.tflite"
SUFFIX = ".kdz"
MOST_FILES = 100


def read_manifest(bundle: Path) -> Manifest:
    """Read the manifest of a bundle: a folder, a `.kdz` file, or a bare `.tflite`.

    A bare `.tflite` tells what it has inside; `calibration`, `parameters` and `libraries` are then
    empty.

    Raises:
        BundleError: it is missing, is no manifest, is of another format version, contradicts
            itself, or stands for a variant that could not be built.
    """

    with open_contents(Path(bundle)) as contents:
        return contents.manifest()


class Contents:
    """A bundle's files, read by name; close it, or use it as a context."""

    def __init__(self, bundle: Path) -> None:
        """Arguments: `bundle` is a folder, which may lack files, or a `.kdz`."""
        self.path = bundle
        self._archive = None if bundle.is_dir() else Archive(bundle)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its files, sorted, without hidden ones, which others have put there."""
        if self._archive:
            return self._archive.names
        names = (path.name for path in self.path.iterdir() if path.is_file())
        return tuple(sorted(name for name in names if not name.startswith(".")))

    def where(self, name: str) -> str:
        """What to call a file in an error."""
        return f"{name} in {self.path}" if self._archive else str(self.path / name)

    def read(self, name: str) -> bytes:
        """Give the content of a file.

        Raises:
            BundleError: it is not there, or cannot be read.
        """
        if self._archive:
            return self._archive.read(name)
        path = self.path / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise BundleError(
                f"{path} is not there; give the folder of a whole bundle, fetch or export it again"
            ) from None
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error}); fetch the bundle again") from None

    def manifest(self) -> Manifest:
        """Read what the bundle says of itself.

        Raises:
            BundleError: as `kdtasks.edge.bundle_files.read_manifest`.
        """
        return parse_manifest(self.read(MANIFEST), self.where(MANIFEST))

    def checked(self, name: str, sha256: str) -> bytes:
        """Give the content of a file whose hash is known.

        Raises:
            BundleError: it is not there, or another one.
        """
        content = self.read(name)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise BundleError(
                f"{self.where(name)} has the SHA-256 {found}, {MANIFEST} says {sha256}; "
                "the file is damaged or not the bundle's own, fetch the bundle again"
            )
        return content

    def close(self) -> None:
        """Close the file that it is in, if it is in one."""
        if self._archive:
            self._archive.close()

    def __enter__(self) -> "Contents":
        """Give the contents, which are closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self.close()


class BareModel(Contents):
    """A `.tflite` that says of itself what a bundle's manifest would."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises a BundleError where it cannot be."""
        self.path = path
        self._archive = None
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error}); fetch the file again") from None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files that a folder would have."""
        return (MANIFEST, MODEL)

    def where(self, name: str) -> str:
        """What to call a file in an error."""
        return str(self.path) if name == MODEL else f"the metadata of {self.path}"

    def read(self, name: str) -> bytes:
        """Give the model, or the manifest that it stands for."""
        if name == MODEL:
            return self._content
        if name != MANIFEST:
            raise BundleError(f"{self.path} is a model alone, without {name}; give its bundle")
        short = read_metadata(self._content, str(self.path))
        if short is None:
            raise BundleError(
                f"{self.path} has no metadata {NAME}, which tells classes and thresholds; give the "
                "folder of a bundle, or a .tflite of one that this version of kdtasks exported"
            )
        try:
            told = json.loads(short)
        except ValueError as error:
            raise BundleError(f"{self.where(name)} cannot be read ({error})") from None
        unknown: dict[str, object] = {"calibration": {}, "parameters": {}, "libraries": {}}
        own = {
            "bytes": len(self._content),
            "sha256": hashlib.sha256(self._content).hexdigest(),
        }
        return json.dumps({**unknown, **told, **own}).encode()


def open_contents(bundle: Path) -> Contents:
    """Open a bundle: a folder, a `.kdz` file, or a bare `.tflite`.

    Raises:
        BundleError: there is nothing of the kind.
    """
    if bundle.is_file():
        if bundle.suffix == SUFFIX:
            return Contents(bundle)
        if bundle.suffix == ".tflite":
            return BareModel(bundle)
        raise BundleError(
            f"{bundle} is no bundle; give the folder of a bundle, a {SUFFIX} file or a .tflite"
        )
    if not bundle.is_dir():
        raise BundleError(
            f"{bundle} is not there; give the folder of a bundle, a {SUFFIX} file or a .tflite"
        )
    return Contents(bundle)


class Archive:
    """The files of a `.kdz`, checked when it is opened and again when one is read."""

    def __init__(self, path: Path) -> None:
        """Open an archive.

        Raises:
            BundleError: it is no zip, or holds what no bundle does: folders, paths that lead out
                of it, one name twice, compressed or encrypted files, more bytes than itself.
        """
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{path} is no whole .kdz file ({error}); fetch or pack it again"
            ) from None
        entries = self._zip.infolist()
        self._check(entries)
        self.names = tuple(sorted(entry.filename for entry in entries))

    def read(self, name: str) -> bytes:
        """Give the content of a file.

        Raises:
            BundleError: it is not there, or damaged.
        """
        if name not in self.names:
            raise BundleError(f"{self.path} holds no {name}; fetch or pack it again")
        try:
            return self._zip.read(name)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{name} in {self.path} is damaged ({error}); fetch or pack it again"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> "Archive":
        """Give the archive, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _check(self, entries: list[zipfile.ZipInfo]) -> None:
        problem = None
        names = [entry.filename for entry in entries]
        if len(entries) > MOST_FILES:
            problem = f"holds {len(entries)} files, a bundle has a few"
        elif len(set(names)) < len(names):
            problem = f"holds {next(name for name in names if names.count(name) > 1)!r} twice"
        elif sum(entry.file_size for entry in entries) > self.path.stat().st_size:
            problem = (
                f"claims {sum(entry.file_size for entry in entries):,} bytes of files in "
                f"{self.path.stat().st_size:,} of its own"
            )
        for entry in entries:
            if problem:
                break
            problem = _problem_of(entry)
        if problem:
            self.close()
            raise BundleError(
                f"{self.path} {problem}; only what `kdtasks pack` writes is opened, pack it again"
            )


def _problem_of(entry: zipfile.ZipInfo) -> str | None:
    name = entry.filename
    if not name or name.startswith(".") or set(name) & set("/\\:\0"):
        return f"holds {name!r}, a bundle's files lie side by side, without folders"
    if entry.flag_bits & 0x1:
        return f"holds {name!r} encrypted"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return f"holds {name!r} compressed, a bundle's files are stored as they are"
    return None


def open_bundle(folder: Path) -> Manifest:
    """Read the manifest of a bundle that a command line names: a folder or a file.

    Raises:
        BundleError: it is no bundle, or a folder that holds bundles; then they are listed.
    """
    try:
        return read_manifest(folder)
    except BundleError:
        inside = [] if (folder / "manifest.json").exists() else _bundles_in(folder)
        if not inside:
            raise
        raise BundleError(
            f"{folder} is no bundle but holds some; give one of them: {', '.join(inside)}"
        ) from None


def _bundles_in(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*/manifest.json")):
        with contextlib.suppress(BundleError):  # a variant that could not be built is no bundle
            read_manifest(path.parent)
            found.append(str(path.parent))
    return found
