"""Look into a SavedModel before TensorFlow does: only operations that compute may be in it."""

import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from kdtasks.core.backend import tf
from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.formats import (
    OpenedNetwork,
    TeacherFormat,
    refuse,
    require_one_of_each,
    teacher_formats,
)
from kdtasks.learn.teachers.loops import Function, Node, check_loops, refuse_loop

# Control flow, calls, weights and random numbers: harmless, though TensorFlow counts most of them
# as having a state.
_OPERATIONS = """
    Case If While StatelessCase StatelessIf StatelessWhile PartitionedCall
    StatefulPartitionedCall FakeParam ToBool NoOp Assert CheckNumerics CheckNumericsV2 Enter
    Exit NextIteration LoopCond Merge Switch ControlTrigger DynamicPartition DynamicStitch
    VarHandleOp ReadVariableOp ResourceGather ResourceGatherNd VarIsInitializedOp VariableShape
    AssignVariableOp AssignAddVariableOp AssignSubVariableOp DestroyResourceOp RandomUniform
    RandomUniformInt RandomStandardNormal TruncatedNormal RandomShuffle RngReadAndSkip
    StatelessRandomGetAlg
"""

# Modules of TensorFlow whose operations compute, where they have no state.
_FAMILIES = """
    gen_array_ops gen_bitwise_ops gen_image_ops gen_linalg_ops gen_list_ops gen_manip_ops
    gen_math_ops gen_nn_ops gen_stateless_random_ops gen_stateless_random_ops_v2
"""

_FEW = 16  # numbers of a constant: those that count turns are single

_READS_A_FILE = frozenset({"ImmutableConst"})

_FILE = "saved_model.pb"


@teacher_formats.register
class SavedModel(TeacherFormat):
    """A SavedModel folder with the signature `serving_default`, or one of another name."""

    uses_tensorflow: ClassVar = True

    name: Literal["saved_model"] = "saved_model"

    @property
    def files(self) -> str:
        return f"a SavedModel folder with its `{_FILE}`"

    def matches(self, path: Path) -> bool:
        return (path / _FILE).is_file()

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as Message

        saved = Message.FromString((path / _FILE).read_bytes())
        check_saved_model(saved, source=str(path))
        loaded = tf.saved_model.load(str(path))
        name = _signature(sorted(loaded.signatures), path)
        signature = loaded.signatures[name]
        inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
        require_one_of_each(path, inputs, outputs)
        [(input_name, specification)], [output_name] = inputs.items(), outputs

        def run(images: np.ndarray) -> list[np.ndarray]:
            # `loaded` owns the variables, so it must live as long as this function.
            outputs = loaded.signatures[name](**{input_name: tf.cast(images, specification.dtype)})
            return [tf.cast(outputs[output_name], tf.float32).numpy()]

        parameters = sum(int(np.prod(variable.shape)) for variable in signature.variables)
        output_shape = outputs[output_name].shape
        return OpenedNetwork.of_shapes(specification.shape, output_shape, run, parameters)


def _signature(names: list[str], path: Path) -> str:
    """Choose the usual signature, or the only one."""
    if "serving_default" in names or len(names) == 1:
        return "serving_default" if "serving_default" in names else names[0]
    found = f"the signatures {', '.join(names)}" if names else "no signature"
    raise TeacherError(
        f"teacher.path: {path} has {found}; save it with one that takes images and gives a row an "
        "image: `tf.saved_model.save(model, folder, signatures={'serving_default': function})`, or "
        "`model.export(folder)` of Keras"
    )


def check_saved_model(saved: Any, *, source: str) -> None:
    """Refuse a SavedModel one of whose functions does more than compute.

    TensorFlow runs some functions as it loads (of tables and other resources), so all that the
    file's objects can reach are looked at, not just the signature's.

    Args:
        saved: the protocol buffer SavedModel.
        source: the folder, for errors.

    Raises:
        TeacherError: naming the operation that was found.
    """
    # Any other file is loaded by running its graph's initialisation.
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField("object_graph_def"):
        refuse("a graph of TensorFlow 1", source)
    from tensorflow.python.framework import op_def_registry

    [graph] = saved.meta_graphs
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    # TensorFlow's optimizer may put these in the place of others.
    substitutes = {
        name for name, function in functions.items() if "api_implements" in function.attr
    }
    entrances = sorted({*_entrances(graph.object_graph_def), *substitutes})
    waiting, seen = [*entrances], {*entrances}
    while waiting:
        function = functions.get(waiting.pop())
        for node in function.node_def if function else ():
            is_call = node.op in functions and op_def_registry.get(node.op) is None
            if not is_call and not _computes(node.op):
                refuse(f"the operation {node.op}", source)
            if node.op == "NextIteration":
                refuse_loop("a loop of TensorFlow 1", source)
            called = sorted({node.op, *_named_functions(node)} & functions.keys() - seen)
            seen.update(called)
            waiting.extend(called)
    found = {name: _function(functions[name], {*functions}) for name in seen & {*functions}}
    check_loops(found, entrances, source)


def _function(definition: Any, names: set[str]) -> Function:
    return Function(
        tuple(argument.name for argument in definition.signature.input_arg),
        tuple(_value(definition.ret[output.name]) for output in definition.signature.output_arg),
        {node.name: _node(node, names) for node in definition.node_def},
    )


def _node(node: Any, names: set[str]) -> Node:
    first = [name for name in ("cond", "body", "f") if name in node.attr]
    called = [node.attr[name].func.name for name in first] or [*_named_functions(node)]
    values = None
    if node.op == "Const":
        tensor = node.attr["value"].tensor
        if math.prod(size.size for size in tensor.tensor_shape.dim) <= _FEW:
            values = tf.make_ndarray(tensor)
    return Node(
        node.op.lower(),
        tuple(_value(name) for name in node.input if not name.startswith("^")),
        # a function may be called by its name in the place of an operation
        tuple(name for name in (*called, node.op) if name in names),
        values,
    )


def _value(name: str) -> tuple[str, int]:
    node, _, rest = name.partition(":")
    return node, int(rest.rpartition(":")[2] or 0)


def _entrances(objects: Any) -> Iterator[str]:
    """Yield the functions that loading, restoring and calling the objects can run."""
    yield from objects.concrete_functions
    for node in objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _named_functions(node: Any) -> Iterator[str]:
    for attribute in node.attr.values():
        yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _computes(operation: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    if operation in _OPERATIONS.split():
        return True
    families = [import_module(f"tensorflow.python.ops.{name}") for name in _FAMILIES.split()]
    definition = op_def_registry.get(operation)
    return (
        definition is not None
        and not definition.is_stateful
        and operation not in _READS_A_FILE
        and any(hasattr(family, operation) for family in families)
    )
