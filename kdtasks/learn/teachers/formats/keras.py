"""Files of both Kerases, known by their bytes, whatever their name says."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from kdtasks.core.backend import tf
from kdtasks.core.errors import ModelError, TeacherError, did_you_mean
from kdtasks.learn.networks.keras_files import kind_of, load_keras_file
from kdtasks.learn.teachers.formats import (
    OpenedNetwork,
    TeacherFormat,
    require_one_of_each,
    teacher_formats,
)


class _KerasFormat(TeacherFormat):
    """A file of either Keras."""

    gives_features: ClassVar = True
    uses_tensorflow: ClassVar = True

    def matches(self, path: Path) -> bool:
        """Whether a file is of this kind by its bytes or, where they say nothing, by its name."""
        kind = kind_of(path)
        return super().matches(path) if kind is None else kind == self.name

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        try:
            library, model = load_keras_file(path)
        except ModelError as error:
            raise TeacherError(
                f"teacher.path: {error}; or convert it to a float .tflite file, and import that"
            ) from None
        require_one_of_each(path, model.inputs, model.outputs)
        network = with_features(library, model, layers, source=str(path))

        # AutoGraph has nothing to do for the layers that are allowed, and takes long.
        @tf.function(autograph=False, reduce_retracing=True)
        def run(images: tf.Tensor) -> list[tf.Tensor]:
            outputs = tf.nest.flatten(network(images, training=False))
            return [tf.cast(output, tf.float32) for output in outputs]

        return OpenedNetwork.of_shapes(
            model.inputs[0].shape,
            model.outputs[0].shape,
            lambda images: [output.numpy() for output in run(tf.constant(images))],
            int(model.count_params()),
        )


@teacher_formats.register
class Keras(_KerasFormat):
    """A `.keras` file of Keras 3 or of tf_keras."""

    endings: ClassVar = (".keras",)

    name: Literal["keras"] = "keras"


@teacher_formats.register
class HDF5(_KerasFormat):
    """A whole model of Keras 3 or of tf_keras in an HDF5 file."""

    endings: ClassVar = (".h5", ".hdf5")

    name: Literal["hdf5"] = "hdf5"


def with_features(library: ModuleType, network: Any, layers: Sequence[str], *, source: str) -> Any:
    """Return a network of the same weights, with hidden features after its outputs.

    Args:
        library: the Keras of the network.
        network: Functional or Sequential, of either Keras.
        layers: names of layers; without any, the network itself is returned.
        source: what the network was read from, for the message.

    Raises:
        TeacherError: there is no such layer.
    """
    if not layers:
        return network
    tensors = {layer.name: _output_of(layer) for layer in network.layers}
    for name in layers:
        if name not in tensors:
            raise TeacherError(
                f"targets.features: the teacher {source} has no layer {name!r}; its layers: "
                f"{', '.join(tensors)}{did_you_mean(name, list(tensors))}"
            )
    return library.Model(network.inputs, [*network.outputs, *(tensors[name] for name in layers)])


def _output_of(layer: Any) -> Any:
    """The tensor inside the network. `layer.output` of a nested network is inside that one."""
    if hasattr(layer, "get_output_at"):  # Keras 2
        return layer.get_output_at(0)
    return layer._inbound_nodes[0].output_tensors[0]
