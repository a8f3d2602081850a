"""Hidden layers of a Keras teacher, whose features a student can take hints from."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from kdtasks.errors import TeacherError, did_you_mean


def with_features(library: ModuleType, network: Any, layers: Sequence[str], *, source: str) -> Any:
    """Return a network that shares all weights and puts out hidden features after its outputs.

    Arguments:
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
