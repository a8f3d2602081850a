"""The one place that imports TensorFlow and the two Kerases.

Students are `tf_keras` (Keras 2) networks, because tensorflow-model-optimization accepts nothing
else. Keras 3 serves imported teachers only. `tf` and `keras` are loaded, which takes seconds, when
something of them is first used: settings can stand beside the code that they set, and a command
that only reads them stays quick.
"""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from kdtasks.core.errors import ComputeDeviceError, MissingPackageError
from kdtasks.core.events import span
from kdtasks.core.reproducibility import DEVICE, pin_process
from kdtasks.core.stderr import held_stderr

__all__ = ["Tensor", "clustering", "keras", "keras_3", "pruning", "quantisation", "tf"]

_NO_TENSORFLOW = (3, 14)  # as pyproject.toml has it


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and forget the layers built before.

    Layer names and initial weights then depend on `seed` alone.
    """

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the garbage collector what is imported, over a million objects that all stay.

    Whatever ran later spent a fifth of its time on looking through them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@cache
def _loaded() -> dict[str, ModuleType]:
    pin_process()
    # On import TensorFlow logs its CPU's features, and that there is no GPU, before it looks at
    # TF_CPP_MIN_LOG_LEVEL; at its first look for devices, that it cannot call a driver which is
    # not there, even where CUDA_VISIBLE_DEVICES hides them.
    with span("imports"), held_stderr(), _uncollected():
        try:
            modules = {name: import_module(name) for name in ("tensorflow", "tf_keras")}
        except ModuleNotFoundError as error:
            raise _missing(error.name or "tensorflow") from None
        # Once: TensorFlow keeps what it has found, and says nothing more of it.
        modules["tensorflow"].config.list_physical_devices()
    if _gpus(modules["tensorflow"]):  # else it rounds what it multiplies to 10 bits, unasked
        modules["tensorflow"].config.experimental.enable_tensor_float_32_execution(False)
    elif os.environ[DEVICE] == "gpu":
        raise ComputeDeviceError(
            "runtime.device is gpu, and TensorFlow sees none; `kdtasks doctor` says what is there, "
            "pip install 'kdtasks[gpu]' brings NVIDIA's libraries, and auto takes the processor"
        )
    modules["tensorflow"].get_logger().setLevel("ERROR")  # it warns of networks run one by one
    # Layers with random numbers keep them in variables, which training resets at every epoch.
    modules["tf_keras"].backend.experimental.enable_tf_random_generator()
    return modules


def _missing(module: str) -> MissingPackageError:
    newest, here = (
        ".".join(map(str, version[:2])) for version in (_NO_TENSORFLOW, sys.version_info)
    )
    if sys.version_info >= _NO_TENSORFLOW:
        return MissingPackageError(
            f"this needs TensorFlow, which there is for Pythons before {newest}, and this is "
            f"{here}; train with an earlier one, devices may keep theirs"
        )
    return MissingPackageError(
        f"module {module} is missing; this needs pip install 'kdtasks[pipeline]'"
    )


def _gpus(tensorflow: ModuleType) -> list[Any]:
    return list(tensorflow.config.list_physical_devices("GPU"))


def has_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    return bool(_gpus(_loaded()["tensorflow"]))


class _Lazy(ModuleType):
    """A module that is imported when one of its attributes is first looked up."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded()[self.__name__], name)


if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras

    Tensor = tf.Tensor
else:
    tf, keras = _Lazy("tensorflow"), _Lazy("tf_keras")
    Tensor = Any  # an annotation, which must not load TensorFlow


def keras_3() -> ModuleType:
    """Keras 3, for teachers that it wrote."""
    _loaded()
    import keras as keras_3

    return keras_3


def pruning() -> ModuleType:
    """The sparsity API of tensorflow-model-optimization, whose import costs two seconds more."""
    _loaded()
    import tensorflow_model_optimization as tfmot

    return tfmot.sparsity.keras


def clustering() -> SimpleNamespace:
    """What clustering needs of tensorflow-model-optimization; that zeros are kept is not public."""
    _loaded()
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    api = tfmot.clustering.keras
    return SimpleNamespace(
        cluster_weights_and_zeros=cluster.cluster_weights,
        strip=api.strip_clustering,
        CentroidInitialization=api.CentroidInitialization,
    )


def quantisation() -> SimpleNamespace:
    """What quantisation-aware training needs of tensorflow-model-optimization.

    Its settings of single layers are not public, and its public ones cannot leave out activations.
    """
    _loaded()
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.quantization.keras import quantize_wrapper
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    api = tfmot.quantization.keras
    return SimpleNamespace(
        annotate=api.quantize_annotate_layer,
        apply=api.quantize_apply,
        scope=api.quantize_scope,
        Wrapper=quantize_wrapper.QuantizeWrapperV2,
        Registry=registry.Default8BitQuantizeRegistry,
        KernelConfig=registry.Default8BitQuantizeConfig,
        FiltersConfig=registry.Default8BitConvQuantizeConfig,
    )
