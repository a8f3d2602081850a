"""Files of both Kerases, looked into before Keras does: only known, harmless classes may be in."""

import json
import shutil
import tempfile
import zipfile
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from kdtasks.core.backend import keras, keras_3, tf
from kdtasks.core.errors import TeacherError, did_you_mean
from kdtasks.learn.teachers.formats import (
    OpenedNetwork,
    TeacherFormat,
    refuse,
    require_one_of_each,
    teacher_formats,
)

_LAYERS = """
    InputLayer Dense EinsumDense Embedding Activation Masking Identity LayerScale
    Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution2D
    DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D
    BatchNormalization SyncBatchNormalization LayerNormalization GroupNormalization
    UnitNormalization RMSNormalization
    ReLU LeakyReLU PReLU ELU ThresholdedReLU Softmax
    AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D AdaptiveAveragePooling2D AdaptiveMaxPooling2D
    Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D
    SpatialDropout3D ActivityRegularization
    Add Subtract Multiply Average Maximum Minimum Concatenate Dot
    Reshape Flatten Permute RepeatVector UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
    ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D
    Rescaling Resizing CenterCrop Normalization RandomBrightness RandomContrast RandomCrop
    RandomFlip RandomHeight RandomRotation RandomTranslation RandomWidth RandomZoom
    Attention AdditiveAttention MultiHeadAttention GroupQueryAttention
"""

_NETWORKS = "Functional Model Sequential TFOpLambda SlicingOpLambda"

# Keras 3 writes arithmetic between layers as nodes of these classes.
_KERAS_3_OPERATIONS = """
    Absolute Add Amax Amin BroadcastTo Cast Clip Concatenate Divide Einsum Exp ExpandDims Flip
    GetItem Log Matmul Max Maximum Mean Min Minimum Mod Multiply Negative Pad Power Prod Reciprocal
    Repeat Reshape Roll Sqrt Square Squeeze Stack Std Subtract Sum Tanh Tile Transpose TrueDivide
    Var Where AveragePool BatchNorm Conv DepthwiseConv Elu Gelu HardSigmoid HardSilu HardSwish
    HardTanh LeakyRelu LogSigmoid LogSoftmax MaxPool Moments OneHot Relu Relu6 Resize Selu
    SeparableConv Sigmoid Silu Softplus Softsign Swish Rsqrt
"""

_PARTS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
    Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    L1 L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm
    DTypePolicy FloatDTypePolicy Policy
    TensorShape __bytes__ __ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__
"""

_CLASSES = frozenset(f"{_LAYERS} {_NETWORKS} {_KERAS_3_OPERATIONS} {_PARTS}".split())

# Where the Kerases say that these classes live, below `keras` and `tf_keras`.
_PLACES = """
    .constraints .dtype_policies .engine.functional .initializers .layers
    .layers.core.tf_op_layer .layers.experimental .layers.experimental.preprocessing
    .mixed_precision .models .regularizers .src.applications.convnext .src.engine.functional
    .src.layers.core.tf_op_layer .src.models.functional .src.ops.core .src.ops.math .src.ops.nn
    .src.ops.numpy
"""

_MODULES = frozenset(
    f"{library}{place}" for library in ("keras", "tf_keras") for place in ("", *_PLACES.split())
)

# TensorFlow's functions that compute only; whole families end in a dot.
_FUNCTIONS = """
    cast clip_by_value concat convert_to_tensor expand_dims gather identity ones_like pad
    reshape reverse shape split squeeze stack tile transpose unstack where zeros_like
    compat.v1.shape compat.v1.transpose compat.v1.nn.depthwise_conv2d
"""

_FUNCTION_FAMILIES = ("__operators__.", "image.", "linalg.", "math.", "nn.")


class _KerasFormat(TeacherFormat):
    """A file of either Keras."""

    gives_features: ClassVar = True
    load_options: ClassVar[dict[str, bool]]

    @abstractmethod
    def read_config(self, file: Path, path: Path) -> tuple[Any, str]:
        """Read the configuration, and the version of the Keras that wrote it.

        Args:
            file: a copy of the teacher's file, which `path` names in messages.
        """

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        from tf_keras.src.saving.serialization_lib import SafeModeScope

        # A copy under a name of ours, so that what is checked is what is opened: the Kerases choose
        # a reader by the spelling of the ending and by the file's bytes.
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copyfile(path, Path(folder) / f"teacher{self.endings[0]}"))
            config, version = self.read_config(copy, path)
            check_config(config, source=str(path))
            library = keras if version < "3" else keras_3()
            # `compile=False` leaves the loss and the metrics alone, so they may be anybody's own.
            with SafeModeScope(True):
                model = library.models.load_model(copy, compile=False, **self.load_options)
        require_one_of_each(path, model.inputs, model.outputs)
        network = with_features(library, model, layers, source=str(path))

        @tf.function(reduce_retracing=True)
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
    load_options: ClassVar = {"safe_mode": True}

    name: Literal["keras"] = "keras"

    def read_config(self, file: Path, path: Path) -> tuple[Any, str]:
        import h5py

        # Keras 2 would read the HDF5 half of such a file, not the configuration checked here.
        if h5py.is_hdf5(file):
            raise TeacherError(f"teacher.path: {path} is an HDF5 file; give it the ending .h5")
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read("config.json"))
            version = json.loads(archive.read("metadata.json")).get("keras_version") or "3"
        config.pop("compile_config", None)
        return config, version


@teacher_formats.register
class HDF5(_KerasFormat):
    """A whole model of Keras 3 or of tf_keras in an HDF5 file."""

    endings: ClassVar = (".h5", ".hdf5")
    load_options: ClassVar = {}  # Keras 2 has no argument `safe_mode` for this format

    name: Literal["hdf5"] = "hdf5"

    def read_config(self, file: Path, path: Path) -> tuple[Any, str]:
        import h5py

        with h5py.File(file, "r") as content:
            if "model_config" not in content.attrs:
                raise TeacherError(
                    f"teacher.path: {path} holds weights without a network; save the whole model"
                )
            config = json.loads(content.attrs["model_config"])
            version = content.attrs.get("keras_version", "2")  # bytes in the oldest files
            return config, version.decode() if isinstance(version, bytes) else str(version)


def check_config(config: Any, *, source: str) -> None:
    """Refuse a Keras configuration with anything but known classes of image networks.

    Args:
        config: the configuration, as decoded JSON.
        source: the file, for errors.

    Raises:
        TeacherError: naming what was found.
    """
    if isinstance(config, list):
        for part in config:
            check_config(part, source=source)
    if not isinstance(config, dict):
        return
    if "class_name" in config:
        _check_class(config, source)
    for key, part in config.items():
        if key.endswith(("_fn_type", "function_type")):
            refuse(f"a Python function (under {key!r})", source)
        if key == "vocabulary" and isinstance(part, str):
            refuse(f"the name of a file, {part!r}, to read words from", source)
        check_config(part, source=source)


def _check_class(config: dict[str, Any], source: str) -> None:
    name, module = config["class_name"], config.get("module")
    if not isinstance(name, str) or name not in _CLASSES:
        refuse(f"the class {name!r}", source)
    # The Kerases look a class up by either name.
    if config.get("registered_name") not in (None, name):
        refuse(f"the class {config['registered_name']!r}", source)
    if module is not None and module not in _MODULES:
        refuse(f"a class of the module {module!r}", source)
    if name in {"TFOpLambda", "SlicingOpLambda"}:
        inner = config.get("config")
        function = str(inner.get("function") if isinstance(inner, dict) else inner)
        if function not in _FUNCTIONS.split() and not function.startswith(_FUNCTION_FAMILIES):
            refuse(f"the TensorFlow function {function!r}", source)


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
