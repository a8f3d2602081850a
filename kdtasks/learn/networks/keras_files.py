"""A Keras file: its first bytes tell its kind, its configuration tells what network it holds."""

import inspect
import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from kdtasks.core.backend import keras, keras_3
from kdtasks.core.errors import ModelError
from kdtasks.core.safe_files import check_archive
from kdtasks.learn.networks.safe_config import check_config
from kdtasks.learn.networks.safe_hdf5 import check_hdf5

Kind = Literal["keras", "hdf5", "tflite"]

_HDF5, _ZIP, _TFLITE = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"TFL3"
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

# Of a configuration, in bytes: it takes twenty times as much in memory.
_MOST_CONFIG = 2**26

# Names that TensorFlow 1 and early 2 gave to layers that both Kerases know under another.
_RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}

# What either Keras takes for any layer besides what constructors name.
_ANY_LAYER = {"autocast", "batch_input_shape", "implementation", "input_shape"}


class KerasFile(NamedTuple):
    """What a file says of its network.

    Attributes:
        kind: `keras`, a zip, or `hdf5`.
        config: of the network, as decoded JSON; nothing in it has been checked.
        version: of the Keras that wrote it.
    """

    kind: Literal["keras", "hdf5"]
    config: dict[str, Any]
    version: str


def kind_of(path: Path) -> Kind | None:
    """Tell what a file is by its bytes, whatever its name; None for anything else."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(8)
    if start == _HDF5:
        return "hdf5"
    if start[4:] == _TFLITE:
        return "tflite"
    if start[:4] != _ZIP:
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return "keras" if _CONFIG in archive.namelist() else None
    except Exception:  # a damaged zip may fail in any way
        return None


def read_keras_file(path: Path, *, source: str) -> KerasFile:
    """Read the configuration of a `.keras` or HDF5 file, as it stands there.

    Raises:
        ModelError: it is both at once, weights without a network, or reads other files.
        OSError, ValueError, KeyError: it is damaged, or of another kind.
    """
    import h5py

    if kind_of(path) == "hdf5":
        with h5py.File(path, "r") as content:
            check_hdf5(content, path.stat().st_size, source=source)
            if "model_config" not in content.attrs:
                raise ModelError(f"{source} holds weights without a network; save the whole model")
            config = json.loads(content.attrs["model_config"])
            version = content.attrs.get("keras_version", "2")  # bytes in the oldest files
        return KerasFile(
            "hdf5", config, version.decode() if isinstance(version, bytes) else str(version)
        )
    # Keras 2 would read the HDF5 half of such a file, not the configuration checked here.
    if h5py.is_hdf5(path):
        raise ModelError(f"{source} is a zip and an HDF5 file at once; save the model anew")
    parts = _parts(path)
    with h5py.File(io.BytesIO(parts[_WEIGHTS]), "r") as content:
        check_hdf5(content, len(parts[_WEIGHTS]), source=source)
    config = json.loads(parts[_CONFIG])
    version = json.loads(parts[_METADATA]).get("keras_version") or "3"
    config.pop("compile_config", None)
    return KerasFile("keras", config, str(version))


def _parts(path: Path) -> dict[str, bytes]:
    """Unpack what a network needs of a zip, each once and no larger than it says.

    Raises:
        ValueError: they are far larger than the file.
        KeyError: one is missing.
    """
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        entries = [archive.getinfo(name) for name in (_CONFIG, _METADATA, _WEIGHTS)]
        for entry in entries[:2]:
            if entry.file_size > _MOST_CONFIG:
                raise ValueError(f"{entry.filename} has {entry.file_size:,} bytes")
        return {entry.filename: archive.read(entry) for entry in entries}


def read_checked(path: Path, *, source: str) -> KerasFile:
    """Read the configuration of a file, refuse unknown classes, and adapt it to the Keras at hand.

    Args:
        source: what the file is called in errors.

    Raises:
        as `read_keras_file`; ModelError also for a class that is not known to be harmless, or a
            key that this Keras cannot heed.
    """
    keras_file = read_keras_file(path, source=source)
    library = keras if keras_file.version < "3" else keras_3()
    config = with_current_names(keras_file.config)
    check_config(config, source=source)
    return keras_file._replace(config=without_unknown_keys(config, library, source=source))


def load_keras_file(path: Path) -> tuple[ModuleType, Any]:
    """Load a network with its weights; no code of the file runs.

    Returns: the Keras of the file, and its network.

    Raises:
        as `read_checked`; anything else that is raised means a damaged file.
    """
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    kind = kind_of(path)
    # A copy under a name of ours, so that what is checked is what is opened: the Kerases choose
    # a reader by the spelling of the ending and by the file's bytes.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / ("network.h5" if kind == "hdf5" else "network.keras")
        shutil.copyfile(path, copy)
        keras_file = read_checked(copy, source=str(path))
        library = keras if keras_file.version < "3" else keras_3()
        _write_config(copy, keras_file)
        # Keras 2 has no argument `safe_mode` for HDF5.
        options = {} if keras_file.kind == "hdf5" else {"safe_mode": True}
        # `compile=False` leaves the loss and the metrics alone, so they may be anybody's own.
        with SafeModeScope(True):
            return library, library.models.load_model(copy, compile=False, **options)


def _write_config(path: Path, keras_file: KerasFile) -> None:
    """Put the configuration that was checked into a file; its weights stay."""
    import h5py

    text = json.dumps(keras_file.config)
    if keras_file.kind == "hdf5":
        with h5py.File(path, "r+") as content:
            content.attrs["model_config"] = text
        return
    parts = _parts(path)  # other files in it are left out
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in {**parts, _CONFIG: text.encode()}.items():
            archive.writestr(name, part)


def with_current_names(config: Any) -> Any:
    """Return a configuration in which layers have the names that both Kerases know today."""
    if isinstance(config, list):
        return [with_current_names(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _RENAMED.get(part, part)
        if key in ("class_name", "registered_name") and isinstance(part, str)
        else with_current_names(part)
        for key, part in config.items()
    }


def without_unknown_keys(config: Any, library: ModuleType, *, source: str) -> Any:
    """Return a configuration of an older or newer Keras as the one at hand takes it.

    Keys that a layer's class does not know are left out where they say nothing (null, false,
    empty), as those of functions that are not used do.

    Args:
        config: as decoded JSON, which has been checked.
        library: the Keras that is to open it.
        source: the file, for errors.

    Raises:
        ModelError: a layer has such a key with a value, which this Keras cannot heed.
    """
    if isinstance(config, list):
        return [without_unknown_keys(part, library, source=source) for part in config]
    if not isinstance(config, dict):
        return config
    adapted = {
        key: without_unknown_keys(part, library, source=source) for key, part in config.items()
    }
    name, settings = adapted.get("class_name"), adapted.get("config")
    layer = getattr(library.layers, name, None) if isinstance(name, str) else None
    if not inspect.isclass(layer) or not isinstance(settings, dict) or "name" not in settings:
        return adapted  # initialisers and the like, one of which bears a layer's name
    axis = settings.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        settings["axis"] = axis[0]
    for key in sorted(settings.keys() - _settings_of(layer)):
        if settings[key]:
            raise ModelError(
                f"{source}: the layer {settings['name']!r} ({name}) has the key {key!r} "
                f"({settings[key]!r}), which Keras {library.__version__} does not know; save the "
                "network with that Keras"
            )
        del settings[key]
    return adapted


def _settings_of(layer: type) -> set[str]:
    """The keys that a layer's class and those it extends take."""
    found = set(_ANY_LAYER)
    for base in layer.__mro__[:-1]:
        if "__init__" in vars(base):
            found.update(inspect.signature(base.__init__).parameters)  # type: ignore[misc]
    return found
