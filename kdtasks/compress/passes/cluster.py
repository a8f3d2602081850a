"""Clustering by tfmot: the weights of a kernel share few values (Han et al., arXiv 1510.00149).

The file gets smaller once compressed (gzip), not faster.
"""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from kdtasks.compress.fine_tuning import preserve
from kdtasks.compress.passes import PassContext, TrainingPass, passes
from kdtasks.core.backend import clustering, keras
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Layers whose kernels are clustered.
_CLUSTERED = ("Conv2D", "Conv2DTranspose", "Dense")


@passes.register
class Cluster(TrainingPass):
    """tfmot clustering: kernels but depthwise ones get few different values; smaller compressed."""

    name: ClassVar[str] = "cluster"
    order: ClassVar[int] = 30

    clusters: Annotated[int, Field(ge=3, le=256)] = Field(
        default=16, description="different values in a kernel, zero included"
    )

    def apply(self, model: MultiExitModel, context: PassContext) -> MultiExitModel:
        """Return the model with at most `clusters` different values in every kernel.

        Zeros of an earlier magnitude pruning stay zero.
        """
        tfmot = clustering()
        few: list[Any] = []  # layers with nothing to share

        def wrap(layer: Any) -> Any:
            if type(layer).__name__ not in _CLUSTERED:
                return layer
            kernel = layer.get_weights()[0]
            if len(np.unique(kernel)) <= self.clusters:
                few.append(layer)
                return layer
            # k-means++ of tfmot draws from a seed of its own, the same one always.
            initial = tfmot.CentroidInitialization.KMEANS_PLUS_PLUS
            return tfmot.cluster_weights_and_zeros(
                layer, self.clusters, initial, preserve_sparsity=not kernel.all()
            )

        wrapped = keras.models.clone_model(model.network, clone_function=wrap)
        for layer in few:
            preserve(layer)
        clustered = MultiExitModel(wrapped, taps=model.taps)
        context.fine_tuning.run(clustered, name=self.name, epochs=self.epochs)
        return clustered.rebuilt(tfmot.strip(wrapped))
