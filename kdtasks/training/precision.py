"""Arithmetic of training steps and a teacher's pass: float32, or bfloat16 where that is faster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from kdtasks.backend import tf
from kdtasks.params.training import Precision

_OPTION = "auto_mixed_precision_onednn_bfloat16"

# Kernels that look at one channel stay in float32: oneDNN's of 16 bits take four times as long, and
# a network of them twice.
_IN_FLOAT32 = tuple(
    f"DepthwiseConv2dNative{part}" for part in ("", "BackpropInput", "BackpropFilter")
)
_EXCEPTIONS = "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE"


@contextmanager
def steps_in(precision: Precision) -> Iterator[None]:
    """Run compiled functions called inside in this precision; all others stay in float32.

    With `bfloat16` TensorFlow's graph optimiser hands convolutions and matrix products numbers of
    16 bits (Kalamkar et al., 2019, "A Study of BFLOAT16 for Deep Learning Training") and keeps
    weights, losses and sums in float32. A processor without such instructions trains in float32.
    """
    if precision == "float32":
        yield
        return
    named = os.environ.get(_EXCEPTIONS, "").split(",")
    os.environ[_EXCEPTIONS] = ",".join(dict.fromkeys([*filter(None, named), *_IN_FLOAT32]))
    before = tf.config.optimizer.get_experimental_options().get(_OPTION, False)
    tf.config.optimizer.set_experimental_options({_OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OPTION: before})
