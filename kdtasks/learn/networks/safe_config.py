"""What a Keras file says its network is, looked into before Keras does: only harmless classes."""

from typing import Any, NoReturn

from kdtasks.core.errors import ModelError

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


def check_config(config: Any, *, source: str) -> None:
    """Refuse a Keras configuration with anything but known classes of image networks.

    Args:
        config: the configuration, as decoded JSON.
        source: the file, for errors.

    Raises:
        ModelError: naming what was found.
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
            _refuse(f"a Python function (under {key!r})", source)
        if key == "vocabulary" and isinstance(part, str):
            _refuse(f"the name of a file, {part!r}, to read words from", source)
        check_config(part, source=source)


def _check_class(config: dict[str, Any], source: str) -> None:
    name, module = config["class_name"], config.get("module")
    if not isinstance(name, str) or name not in _CLASSES:
        _refuse(f"the class {name!r}", source)
    # The Kerases look a class up by either name.
    if config.get("registered_name") not in (None, name):
        _refuse(f"the class {config['registered_name']!r}", source)
    if module is not None and module not in _MODULES:
        _refuse(f"a class of the module {module!r}", source)
    if name in {"TFOpLambda", "SlicingOpLambda"}:
        inner = config.get("config")
        function = str(inner.get("function") if isinstance(inner, dict) else inner)
        if function not in _FUNCTIONS.split() and not function.startswith(_FUNCTION_FAMILIES):
            _refuse(f"the TensorFlow function {function!r}", source)


def _refuse(part: str, source: str) -> NoReturn:
    raise ModelError(
        f"{source} holds {part}, which might run code or touch files when loaded; save the "
        "network without it"
    )
