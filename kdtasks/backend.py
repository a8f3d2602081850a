"""The one place that imports TensorFlow and the two Kerases.

Students are `tf_keras` (Keras 2) networks, because tensorflow-model-optimization accepts nothing
else. Keras 3 serves imported teachers only. Importing this module takes seconds: stages that do
without TensorFlow never do.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

from kdtasks.reproducibility import pin_process


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep back what native code writes to standard error, unless the block fails.

    On import TensorFlow logs its CPU's features, and that there is no GPU, before it looks at
    TF_CPP_MIN_LOG_LEVEL; at its first look for devices, that it cannot call a driver which is not
    there, even where CUDA_VISIBLE_DEVICES hides them.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


pin_process()

with _hushed():
    import tensorflow as tf
    import tf_keras as keras

    tf.config.list_physical_devices()  # once: TensorFlow keeps what it has found

# Layers with random numbers keep them in variables, which training resets at every epoch.
keras.backend.experimental.enable_tf_random_generator()

Tensor = tf.Tensor


def keras_3() -> ModuleType:
    """Keras 3, for teachers that it wrote."""
    import keras as keras_3

    return keras_3


def pruning() -> ModuleType:
    """The sparsity API of tensorflow-model-optimization, whose import costs two seconds more."""
    import tensorflow_model_optimization as tfmot

    return tfmot.sparsity.keras


def clustering() -> SimpleNamespace:
    """What clustering needs of tensorflow-model-optimization; that zeros are kept is not public."""
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    api = tfmot.clustering.keras
    return SimpleNamespace(
        cluster_weights=api.cluster_weights,
        cluster_weights_and_zeros=cluster.cluster_weights,
        strip=api.strip_clustering,
        CentroidInitialization=api.CentroidInitialization,
    )


def quantisation() -> SimpleNamespace:
    """What quantisation-aware training needs of tensorflow-model-optimization.

    Its settings of single layers are not public, and its public ones cannot leave out activations.
    """
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


__all__ = ["Tensor", "clustering", "keras", "keras_3", "pruning", "quantisation", "tf"]
