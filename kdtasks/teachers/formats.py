"""Open a teacher's file, whoever wrote it: both Kerases, SavedModel, LiteRT."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kdtasks.backend import keras, keras_3, tf
from kdtasks.errors import TeacherError
from kdtasks.teachers.hidden import with_features
from kdtasks.teachers.safe_configs import check_config
from kdtasks.teachers.safe_graphs import check_saved_model

FORMATS = "`.keras`, `.h5`, `.tflite`, or a SavedModel folder with its `saved_model.pb`"


@dataclass(frozen=True)
class OpenedNetwork:
    """A network of any origin.

    Attributes:
        batch_size: pictures that every run takes; None where any number will do.
        input_shape: without the batch; None where a size is free.
        output_shape: without the batch.
        run: float32 batch to float32 outputs, and after them the hidden features that were asked
            for.
        parameters: number of weights; None where the format does not tell.
    """

    batch_size: int | None
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]
    run: Callable[[np.ndarray], list[np.ndarray]]
    parameters: int | None


def open_network(path: Path, *, layers: Sequence[str] = ()) -> OpenedNetwork:
    """Open a file without running any code from it.

    Arguments:
        layers: hidden layers whose features it puts out besides.

    Raises:
        TeacherError: the file is missing, damaged, of an unknown kind, unsafe, has several inputs
            or outputs, has no such layer, or is of a kind that gives no features.
    """
    if not path.exists():
        raise TeacherError(f"teacher.path: {path} is not there; give the file of the teacher")
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise TeacherError(
            f"teacher.path: the folder {path} holds no saved_model.pb; give one of {FORMATS}"
        )
    opener = _open_saved_model if path.is_dir() else _OPENERS.get(path.suffix.lower())
    if opener is None:
        raise TeacherError(f"teacher.path: {path} has an unknown ending; give one of {FORMATS}")
    try:
        return opener(path, layers)
    except (TeacherError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # a damaged file may fail in any way inside its reader
        reason = " ".join(str(error).split())[:300]
        raise TeacherError(
            f"teacher.path: {path} could not be opened ({type(error).__name__}: {reason}); check "
            "that the file is complete, or save the teacher anew"
        ) from error


def _open_keras(path: Path, layers: Sequence[str]) -> OpenedNetwork:
    import h5py

    with _copy(path, "teacher.keras") as copy:
        # Keras 2 would read the HDF5 half of such a file, and not the configuration checked here.
        if h5py.is_hdf5(copy):
            raise TeacherError(f"teacher.path: {path} is an HDF5 file; give it the ending .h5")
        with zipfile.ZipFile(copy) as archive:
            config = json.loads(archive.read("config.json"))
            version = json.loads(archive.read("metadata.json")).get("keras_version", "")
        # `compile=False` leaves the loss and the metrics alone, so they may be anybody's own.
        config.pop("compile_config", None)
        check_config(config, source=str(path))
        library = keras if version.startswith("2.") else keras_3()
        model = library.models.load_model(copy, compile=False, safe_mode=True)
    return _from_keras(library, model, path, layers)


def _open_h5(path: Path, layers: Sequence[str]) -> OpenedNetwork:
    import h5py
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    with _copy(path, "teacher.h5") as copy:
        with h5py.File(copy, "r") as file:
            if "model_config" not in file.attrs:
                raise TeacherError(
                    f"teacher.path: {path} holds weights without a network; save the whole model"
                )
            config = json.loads(file.attrs["model_config"])
            version = str(file.attrs.get("keras_version", "2."))
        check_config(config, source=str(path))
        library = keras_3() if version.startswith("3.") else keras
        # Keras 2 has no argument `safe_mode` for this format.
        with SafeModeScope(True):
            model = library.models.load_model(copy, compile=False)
    return _from_keras(library, model, path, layers)


@contextmanager
def _copy(path: Path, name: str) -> Iterator[Path]:
    """Yield a copy under a name of ours, so that what is checked is what is opened.

    The Kerases choose a reader by the spelling of the ending and by the file's bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copyfile(path, Path(folder) / name))


def _from_keras(
    library: ModuleType, model: Any, path: Path, layers: Sequence[str]
) -> OpenedNetwork:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise TeacherError(
            f"teacher.path: {path} has {len(model.inputs)} inputs and {len(model.outputs)} "
            "outputs; a teacher has one of each"
        )

    network = with_features(library, model, layers, source=str(path))

    @tf.function(reduce_retracing=True)
    def run(images: tf.Tensor) -> list[tf.Tensor]:
        outputs = network(images, training=False)
        return [tf.cast(o, tf.float32) for o in (outputs if layers else [outputs])]

    batch_size, *input_shape = model.inputs[0].shape
    return OpenedNetwork(
        batch_size=batch_size,
        input_shape=tuple(input_shape),
        output_shape=tuple(model.outputs[0].shape[1:]),
        run=lambda images: [output.numpy() for output in run(tf.constant(images))],
        parameters=int(model.count_params()),
    )


def _open_saved_model(path: Path, layers: Sequence[str]) -> OpenedNetwork:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    _refuse_layers(layers, "a SavedModel", path)
    saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    check_saved_model(saved, source=str(path))
    loaded = tf.saved_model.load(str(path))
    if "serving_default" not in loaded.signatures:
        raise TeacherError(
            f"teacher.path: {path} has the signatures {sorted(loaded.signatures)}; a teacher needs "
            "`serving_default`"
        )
    signature = loaded.signatures["serving_default"]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise TeacherError(
            f"teacher.path: {path} has {len(inputs)} inputs and {len(outputs)} outputs; a teacher "
            "has one of each"
        )
    [(input_name, specification)], [output_name] = inputs.items(), outputs
    batch_size, *input_shape = specification.shape

    def run(images: np.ndarray) -> list[np.ndarray]:
        # `loaded` owns the variables, so it must live as long as this function.
        outputs = loaded.signatures["serving_default"](
            **{input_name: tf.cast(images, specification.dtype)}
        )
        return [tf.cast(outputs[output_name], tf.float32).numpy()]

    return OpenedNetwork(
        batch_size=batch_size,
        input_shape=tuple(input_shape),
        output_shape=tuple(outputs[output_name].shape[1:]),
        run=run,
        parameters=sum(int(np.prod(variable.shape)) for variable in signature.variables),
    )


def _open_tflite(path: Path, layers: Sequence[str]) -> OpenedNetwork:
    from ai_edge_litert.interpreter import Interpreter

    _refuse_layers(layers, "a LiteRT file", path)
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise TeacherError(
            f"teacher.path: {path} has {len(inputs)} inputs and {len(outputs)} outputs; a teacher "
            "has one of each"
        )
    for tensor in (inputs[0], outputs[0]):
        if tensor["dtype"] != np.float32:
            raise TeacherError(
                f"teacher.path: tensor {tensor['name']!r} of {path} is "
                f"{np.dtype(tensor['dtype']).name}; give the float32 version of this model"
            )

    def run(images: np.ndarray) -> list[np.ndarray]:
        interpreter.resize_tensor_input(inputs[0]["index"], list(images.shape))
        interpreter.allocate_tensors()
        interpreter.set_tensor(inputs[0]["index"], images)
        interpreter.invoke()
        return [np.array(interpreter.get_tensor(outputs[0]["index"]))]

    batch_size, *input_shape = _free_as_none(inputs[0])
    return OpenedNetwork(
        batch_size=batch_size,
        input_shape=tuple(input_shape),
        output_shape=_free_as_none(outputs[0])[1:],
        run=run,
        parameters=None,
    )


def _refuse_layers(layers: Sequence[str], kind: str, path: Path) -> None:
    if layers:
        raise TeacherError(
            f"targets.features: the teacher {path} is {kind}, which gives no hidden features; "
            "import it as .keras or .h5, or set targets.features to []"
        )


def _free_as_none(tensor: dict[str, Any]) -> tuple[int | None, ...]:
    return tuple(None if size < 0 else int(size) for size in tensor["shape_signature"])


_OPENERS: dict[str, Callable[[Path, Sequence[str]], OpenedNetwork]] = {
    ".keras": _open_keras,
    ".h5": _open_h5,
    ".hdf5": _open_h5,
    ".tflite": _open_tflite,
}
