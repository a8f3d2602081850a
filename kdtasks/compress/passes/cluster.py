"""Clustering by tfmot: the weights of a kernel share few values (Han et al., arXiv 1510.00149).

The file gets smaller once compressed (gzip), not faster.
"""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from kdtasks.compress.fine_tuning import FineTuning, preserve
from kdtasks.core.backend import clustering, keras
from kdtasks.core.settings import Count, Section
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Layers whose kernels are clustered.
_CLUSTERED = ("Conv2D", "Conv2DTranspose", "Dense")


class ClusterParams(Section):
    """tfmot clustering: kernels but depthwise ones get few different values; smaller compressed."""

    clusters: Annotated[int, Field(ge=3, le=256)] = Field(
        default=16, description="different values in a kernel, zero included"
    )
    epochs: Count = Field(default=4, description="epochs of fine-tuning with shared values")


def cluster_weights(
    model: MultiExitModel, params: ClusterParams, fine_tuning: FineTuning
) -> MultiExitModel:
    """Return the model with at most `params.clusters` different values in every kernel.

    Zeros of an earlier magnitude pruning stay zero.

    Arguments:
        model: used up; its layers are wrapped and trained.
    """
    tfmot = clustering()
    few: list[Any] = []  # layers with nothing to share

    def wrap(layer: Any) -> Any:
        if type(layer).__name__ not in _CLUSTERED:
            return layer
        kernel = layer.get_weights()[0]
        if len(np.unique(kernel)) <= params.clusters:
            few.append(layer)
            return layer
        # k-means++ of tfmot draws from a seed of its own, the same one always.
        initial = tfmot.CentroidInitialization.KMEANS_PLUS_PLUS
        if not kernel.all():
            return tfmot.cluster_weights_and_zeros(
                layer, params.clusters, initial, preserve_sparsity=True
            )
        return tfmot.cluster_weights(layer, params.clusters, initial)

    wrapped = keras.models.clone_model(model.network, clone_function=wrap)
    for layer in few:
        preserve(layer)
    clustered = MultiExitModel(wrapped, taps=model.taps)
    fine_tuning.run(clustered, name="cluster", epochs=params.epochs)
    return clustered.rebuilt(tfmot.strip(wrapped))
