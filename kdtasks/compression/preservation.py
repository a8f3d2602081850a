"""Keep what earlier passes made of the kernels while a later one trains them.

tfmot has schemes of its own for this, but they know neither depthwise nor transposed convolutions,
and the one for clusters stops keeping zeros in every layer once it meets one without zeros.
"""

from typing import Any

import numpy as np

from kdtasks.backend import Tensor, tf


def preserve(network: Any) -> None:
    """Make zeros stay zero and equal weights stay equal in every kernel of a network or layer.

    The optimiser puts a kernel back right after each step: a weight of the group of equal ones
    takes the mean of the group, so a group learns as one weight.
    """
    for variable in network.trainable_variables:
        if len(variable.shape) < 2:
            continue
        values = variable.numpy()
        nonzero = values[values != 0]
        if nonzero.size == values.size and len(np.unique(nonzero)) == nonzero.size:
            continue  # no zeros, all different
        # What `tf.Variable(constraint=…)` sets; these variables are there already.
        variable._constraint = _Projection(values)


class _Projection:
    """From a kernel to the nearest one with the zeros and the equal weights of another."""

    def __init__(self, values: np.ndarray) -> None:
        _, groups = np.unique(values, return_inverse=True)
        groups = groups.reshape(-1)
        self._shape = values.shape
        self._groups = tf.constant(groups, tf.int32)
        # Sums by group, then means; the group of zeros is multiplied away.
        share = (values != 0).reshape(-1) / np.bincount(groups)[groups]
        self._shares = tf.constant(share, tf.float32)
        self._count = int(groups.max()) + 1

    def __call__(self, kernel: Tensor) -> Tensor:
        sums = tf.math.unsorted_segment_sum(
            tf.reshape(kernel, [-1]) * self._shares, self._groups, self._count
        )
        return tf.reshape(tf.gather(sums, self._groups), self._shape)
