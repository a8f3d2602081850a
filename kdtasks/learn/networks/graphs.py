"""Networks that come as a graph of Keras layers: put on an image, flat, and cut anywhere."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from kdtasks.core.backend import Tensor, keras, tf
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks import Backbone, Taps
from kdtasks.learn.networks.graph_layers import MAKERS, check_scalable, clone_layer, renumbered_name


def from_config(config: dict[str, Any], *, source: str) -> Any:
    """Make the `tf_keras` network of a configuration that has been checked.

    Raises:
        ModelError: it is not Functional (nor Sequential with a known input), has several inputs
            or outputs, or cannot be built.
    """
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    try:
        with SafeModeScope(True):
            network = (
                keras.saving.deserialize_keras_object(config)
                if "module" in config
                else keras.models.model_from_config(config)
            )
    except Exception as error:  # whatever the Keras of the file and this one disagree about
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{source} describes no network of tf_keras ({reason})") from error
    if not getattr(network, "_nodes_by_depth", None):
        raise ModelError(
            f"{source} is no Functional network; build it of keras.Input and layers, or give a "
            "Sequential one its keras.Input"
        )
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ModelError(
            f"{source} has {len(network.inputs)} inputs and {len(network.outputs)} outputs; a "
            "network has one of each, early exits are attached by `exits`"
        )
    return network


def rebuild_on(
    network: Any,
    image: Tensor,
    *,
    width: float = 1.0,
    last: str | None = None,
    without: Collection[str] = (),
    renumbered: bool = False,
) -> Tensor:
    """Build the layers of a network anew on another input, with fresh weights.

    Networks inside it are flattened, arithmetic with numbers becomes `Rescaling`, everything is in
    float32 and trainable.

    Args:
        network: as of `from_config`.
        image: [batch, height, width, channels].
        width: factor of all filters and units but those of the last layer.
        last: name of the layer whose output is returned; by default the network's own, of which a
            softmax is left out, so that it gives logits.
        without: classes of layers that are left out.
        renumbered: whether layers that nobody named, whose names count those of the whole process,
            are numbered anew.

    Raises:
        ModelError: there is no such layer, a layer stands in two places, cannot be scaled, or does
            not fit its input.
    """
    layers = [*_flat(network)]
    names = [layer.name for layer in layers]
    if last is not None and last not in names:
        raise ModelError(f"{network.name} has no layer {last!r}; its layers: {', '.join(names)}")
    fixed = _makers_of(network.outputs[0]) if last is None else set()
    if width != 1.0:
        check_scalable(layers)
    copies: dict[str, Tensor] = {}
    counts: Counter[str] = Counter()

    def make(layer: Any, args: Any, kwargs: Any) -> Any:
        if layer.name in copies:
            raise ModelError(
                f"{network.name}: the layer {layer.name!r} stands in two places, or two layers "
                "have its name; build one for each place, with a name of its own"
            )
        if type(layer).__name__ in without:
            copies[layer.name] = args[0]
        else:
            # Nodes of TensorFlow are never named by whoever wrote them.
            is_counted = renumbered or type(layer).__name__ == "TFOpLambda"
            name = renumbered_name(layer, counts) if is_counted else layer.name
            factor = 1.0 if layer.name in fixed else width
            copies[layer.name] = clone_layer(layer, args, kwargs, name=name, width=factor)
        return copies[layer.name]

    output = _applied(network, image, make)
    return _logits(output) if last is None else copies[last]


def application_backbone(network: Any, image: Tensor, *, dropout: float) -> Backbone:
    """Put a network of `keras.applications` without its top on an image; every layer may be a tap.

    What some of them begin with, `Architecture.scale` has done.

    Args: `dropout` is the fraction of the averaged features that is dropped.
    """
    features = rebuild_on(
        network,
        image,
        last=network.layers[-1].name,
        without=("Rescaling", "Normalization"),
        renumbered=True,
    )
    taps = graph_taps(image, features)
    tensor = keras.layers.GlobalAveragePooling2D(name="top_average")(features)
    if dropout:
        tensor = keras.layers.Dropout(dropout, name="top_dropout")(tensor)
    return Backbone(tensor, taps)


def graph_taps(image: Tensor, output: Tensor) -> Taps:
    """Name the tensors that the rest of a network needs after each of its layers.

    Args:
        image: where the network begins.
        output: what it ends with.

    Returns: layers with height, width and channels, in the network's order.
    """
    begin = image.node.layer
    layers = keras.Model(image if begin.name == "image" else _inputs(begin), output).layers
    layers = layers[layers.index(begin) :]
    sources = {
        layer.name: [tensor.node.layer.name for tensor in _inputs(layer)] for layer in layers[1:]
    }
    before: dict[str, set[str]] = {layers[0].name: set()}
    taps: Taps = {}
    outputs = {layer.name: layer.get_output_at(0) for layer in layers}
    for layer in layers[1:]:
        name = layer.name
        before[name] = {name}.union(*(before[source] for source in sources[name]))
        if len(outputs[name].shape) != 4:
            continue
        needed = {
            source
            for later, given in sources.items()
            if later not in before[name]
            for source in given
            if source in before[name]
        }
        open_ends = [other for other in outputs if other in needed - {name}]
        taps[name] = tuple(outputs[other] for other in (name, *open_ends))
    return taps


def copy_weights(source: Any, network: Any) -> set[str]:
    """Give layers of the same name the weights of another network; others keep theirs.

    Returns: names of the layers that have them now.

    Args:
        source: with networks inside it or without.
        network: flat.

    Raises:
        ModelError: two layers of a name have weights of other shapes.
    """
    copied: set[str] = set()
    given: Mapping[str, Any] = {layer.name: layer for layer in _flat(source)}
    for layer in network.layers:
        other = given.get(layer.name) or given.get(layer.name.removesuffix("_logits"))
        if other is None or not layer.weights:
            continue
        shapes = [[tuple(weight.shape) for weight in each.weights] for each in (layer, other)]
        if shapes[0] != shapes[1]:
            raise ModelError(
                f"the weights of {layer.name!r} are of the shapes {shapes[1]}, the network has "
                f"{shapes[0]}; give weights of this very network, or random ones (`weights: null`)"
            )
        layer.set_weights(other.get_weights())
        copied.add(layer.name)
    return copied


def _flat(network: Any) -> Iterator[Any]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        elif type(layer).__name__ != "InputLayer":
            yield layer


def _applied(network: Any, image: Tensor, make: Callable[..., Any]) -> Tensor:
    """Run through the nodes of a network, as Keras itself does to call it."""
    values: dict[str, list[Any]] = {}

    def keep(tensor: Any, value: Any) -> None:
        key = str(id(tensor))
        values[key] = [value] * network._tensor_usage_count[key]

    keep(network.inputs[0], image)
    for depth in sorted(network._nodes_by_depth, reverse=True):
        for node in network._nodes_by_depth[depth]:
            if node.is_input:
                continue
            args, kwargs = node.map_arguments(values)
            if isinstance(node.layer, keras.Model):
                result = _applied(node.layer, args[0], make)
            else:
                result = make(node.layer, args, kwargs)
            keep(tf.nest.flatten(node.outputs)[0], result)
    return values[str(id(network.outputs[0]))][0]


def _logits(output: Tensor) -> Tensor:
    """Leave a softmax out.

    Raises:
        ModelError: the last layer ends in another activation.
    """
    layer = output.node.layer
    kind, activation = type(layer).__name__, getattr(layer, "activation", None)
    name = getattr(activation, "__name__", "linear")
    if kind == "TFOpLambda" and layer.get_config()["function"] == "nn.softmax":
        return _inputs(layer)[0]
    if kind == "Softmax" or (kind == "Activation" and name == "softmax"):
        return _inputs(layer)[0]
    if kind == "Activation" and name == "linear":
        return _logits(_inputs(layer)[0])
    if name == "softmax":
        config = {**layer.get_config(), "activation": "linear", "name": f"{layer.name}_logits"}
        return type(layer).from_config(config)(_inputs(layer)[0])
    if name != "linear":
        raise ModelError(
            f"the last layer {layer.name!r} ends in {name}; let it give a logit a class, by no "
            "activation or softmax, or name the layer before it in `features`, which gets a head"
        )
    return output


def _makers_of(output: Tensor) -> set[str]:
    """The layers that make the channels of a tensor."""
    waiting, makers = [output], set()
    while waiting:
        layer = waiting.pop().node.layer
        if isinstance(layer, keras.Model):
            waiting.append(layer.outputs[0])
        elif type(layer).__name__ in MAKERS:
            makers.add(layer.name)
        elif type(layer).__name__ != "InputLayer":
            waiting.extend(_inputs(layer))
    return makers


def _inputs(layer: Any) -> list[Any]:
    return [*layer.inbound_nodes[0].keras_inputs]
