"""Real teacher files of every kind, each with the outputs of the network that was saved."""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from kdtasks.core.files import read_json
from kdtasks.learn.teachers.preprocessing import Preprocessing
from kdtasks.learn.teachers.settings import TeacherParams
from tests.tools.datasets import dataset_of
from tests.tools.linear_teachers import IMAGES, LABELS, VALIDATION, Linear

SHAPE = (8, 8, 3)
CLASSES = 4


class TeacherFile(NamedTuple):
    """A file, and what its network puts out for `images / 255` before it is saved."""

    path: Path
    outputs: np.ndarray
    parameters: int


@contextmanager
def _as_a_user() -> Iterator[None]:
    """Let the Kerases warn of their old formats, as they do to whoever saves in them."""
    with warnings.catch_warnings(action="ignore"):
        yield


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Images of any brightness; forty, so that neither 3 nor 256 divides them."""
    return np.random.default_rng(0).integers(0, 256, (40, *SHAPE), np.uint8)


@pytest.fixture(scope="session")
def kerases() -> dict[str, Any]:
    """Both Kerases, in the process of a stage that prunes."""
    from kdtasks.core.backend import keras, keras_3, pruning

    pruning()
    return {"tf_keras": keras, "keras_3": keras_3()}


@pytest.fixture(scope="session")
def make_network(kerases: dict[str, Any]) -> Callable[..., Any]:
    """Give a function that builds a small network with weights of its own."""

    def make(library: str, ending: str = "logits", *, outputs: int = 1, scale: float = 1.5) -> Any:
        layers = kerases[library].layers
        image = kerases[library].Input(SHAPE)
        tensor = layers.Conv2D(4, 3, padding="same")(image)
        tensor = layers.ReLU()(layers.BatchNormalization()(tensor))
        # Converted for one image, a reshape cannot take two.
        tensor = layers.GlobalMaxPooling1D()(layers.Reshape((8, 32))(tensor))
        activation = "softmax" if ending == "probabilities" else None
        heads = [layers.Dense(CLASSES, activation=activation)(tensor) for _ in range(outputs)]
        network = kerases[library].Model(image, heads if outputs > 1 else heads[0])
        generator = np.random.default_rng(1)
        for variable in network.weights:
            values = generator.normal(0.0, scale, variable.shape)
            variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
        return network

    return make


@pytest.fixture(scope="session")
def save_network(kerases: dict[str, Any]) -> Callable[[Any, Path], None]:
    """Give a function that saves a network in the kind that the file's name says."""
    from kdtasks.core.backend import tf

    def concrete(network: Any, batch_size: int) -> Any:
        @tf.function(input_signature=[tf.TensorSpec((batch_size, *SHAPE), name="image")])
        def serve(image: Any) -> dict[str, Any]:
            return {"output": network(image)}

        return serve.get_concrete_function()

    def save(network: Any, path: Path) -> None:
        if path.name == "tf_keras_saved_model":
            network.save(path, save_format="tf")
        elif path.name == "keras_3_export":
            network.export(path, verbose=False)
        elif path.name == "batch_of_3_saved_model":
            module = tf.Module()
            module.network = network
            tf.saved_model.save(module, path, signatures=concrete(network, 3))
        elif path.name == "any_batch.tflite":
            converter = tf.lite.TFLiteConverter.from_keras_model(network)
            path.write_bytes(converter.convert())
        elif path.name == "batch_of_1.tflite":
            functions = [concrete(network, 1)]
            converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, network)
            path.write_bytes(converter.convert())
        else:
            network.save(path)

    def save_quietly(network: Any, path: Path) -> None:
        with _as_a_user():
            save(network, path)

    return save_quietly


@pytest.fixture(scope="session")
def teacher_file(
    tmp_path_factory: pytest.TempPathFactory,
    make_network: Callable[..., Any],
    save_network: Callable[[Any, Path], None],
    images: np.ndarray,
) -> Callable[..., TeacherFile]:
    """Give a function from a kind and an ending to a file; each is made once."""

    @cache
    def make(kind: str, ending: str = "logits") -> TeacherFile:
        network = make_network("keras_3" if "keras_3" in kind else "tf_keras", ending)
        path = tmp_path_factory.mktemp(ending) / kind
        save_network(network, path)
        outputs = np.asarray(network(images.astype(np.float32) / 255))
        return TeacherFile(path, outputs, network.count_params())

    return make


@pytest.fixture
def import_file(tmp_path: Path, images: np.ndarray) -> Callable[..., Path]:
    """Give a function that imports a file into a new folder, whose path it returns.

    Its networks know nothing, so unless labels are given they are what the network answers.
    """
    from kdtasks.learn.teachers.imported import import_teacher
    from kdtasks.learn.teachers.network import open_network, run_in_batches

    def run(
        path: Path,
        *,
        images: np.ndarray = images,
        labels: np.ndarray | None = None,
        num_classes: int = CLASSES,
        ignore_label: int | None = None,
        **params: Any,
    ) -> Path:
        folder = tmp_path / "imported"
        settings = {"source": "import", "path": str(path), "input": "byte", **params}
        if labels is None:
            labels = np.zeros(len(images), np.int32)
            if images.shape[1:] == SHAPE:
                preprocessing = Preprocessing(settings["input"], "rgb")
                [outputs] = run_in_batches(open_network(path), images, preprocessing)
                labels = outputs.argmax(axis=-1).astype(np.int32)
        import_teacher(
            folder,
            TeacherParams.model_validate(settings),
            dataset_of(
                images,
                labels,
                num_classes=num_classes,
                ignore_label=ignore_label,
                split="validation",
            ),
        )
        return folder

    return run


@pytest.fixture(scope="session")
def change_config() -> Callable[[Path, Path, Callable[[Any], None]], Path]:
    """Give a function that copies a `.keras` or `.h5` with a change to its configuration."""

    def change(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
        import h5py

        target.write_bytes(source.read_bytes())
        if target.suffix == ".h5":
            with h5py.File(target, "r+") as file:
                config = json.loads(file.attrs["model_config"])
                edit(config)
                file.attrs["model_config"] = json.dumps(config)
            return target
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name == "config.json":
                    config = json.loads(content)
                    edit(config)
                    content = json.dumps(config).encode()
                new.writestr(name, content)
        return target

    return change


@pytest.fixture
def description() -> Callable[[Path], dict[str, Any]]:
    """Give a function that reads `teacher.json`."""
    return lambda folder: read_json(folder / "teacher.json")


@pytest.fixture
def take(kerases: Any, import_file: Any, tmp_path: Path) -> Callable[..., Any]:
    """Import a linear network, and open the teacher: of it the logits of the validation split."""
    from kdtasks.learn.teachers.teacher import open_teacher

    def run(
        linear: Linear,
        images: np.ndarray = IMAGES,
        labels: np.ndarray = LABELS,
        activation: str | None = None,
        **rest: Any,
    ) -> np.ndarray:
        layers, shape = kerases["tf_keras"].layers, images.shape[1:]
        network = kerases["tf_keras"].Sequential(
            [
                kerases["tf_keras"].Input(shape),
                layers.Flatten(),
                layers.Dense(len(linear[1]), activation=activation),
            ]
        )
        network.set_weights(list(linear))
        network.save(tmp_path / "linear.keras")
        told = {"num_classes": int(labels.max()) + 1, "input": "auto", **rest}
        path = told.pop("path", tmp_path / "linear.keras")
        folder = import_file(
            path, images=images[VALIDATION], labels=labels[VALIDATION].astype(np.int32), **told
        )
        return open_teacher(folder).logits(images[VALIDATION])

    return run
