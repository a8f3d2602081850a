"""Take a `.tflite` apart into one file a signature, for runtimes that know a single graph.

Weights are shared between the signatures of one file, but no segment has weights of another, so the
parts have together about the size of the whole.
"""

from typing import Any

from kdtasks.errors import BundleError
from kdtasks.export.packing import write_model


def split_signatures(content: bytes) -> dict[str, bytes]:
    """Give each signature's own file, with that signature in it: name to content.

    Raises:
        BundleError: the file cannot be read, has no signatures, or one runs another graph, as loops
            and branches do.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        # Each part is cut from a copy of its own.
        whole = schema.ModelT.InitFromPackedBuf(content, 0)
        names = sorted(definition.signatureKey for definition in whole.signatureDefs or [])
    except Exception as error:
        raise BundleError(f"the model cannot be taken apart ({error}); export it again") from None
    if not names:
        raise BundleError("the model has no signatures; convert one for each segment")
    parts = {}
    for name in names:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        _keep_only(model, name, schema)
        parts[name.decode()] = write_model(model)
    return parts


def _keep_only(model: Any, name: bytes, schema: Any) -> None:
    definition = next(one for one in model.signatureDefs if one.signatureKey == name)
    graph = model.subgraphs[definition.subgraphIndex]
    used = sorted({operator.opcodeIndex for operator in graph.operators})
    codes = [model.operatorCodes[index] for index in used]
    calling = {getattr(schema.BuiltinOperator, call) for call in ("IF", "WHILE", "CALL_ONCE")}
    if calling & {code.builtinCode for code in codes}:
        raise BundleError(
            f"{name.decode()} has loops or branches, which run other graphs of the file; it cannot "
            "become a file of its own"
        )
    for operator in graph.operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    # Buffer 0 is empty by convention: that of tensors without values.
    buffers = [0]
    for tensor in graph.tensors:
        if tensor.buffer not in buffers:
            buffers.append(tensor.buffer)
        tensor.buffer = buffers.index(tensor.buffer)
    model.buffers = [model.buffers[index] for index in buffers]
    model.operatorCodes, model.subgraphs = codes, [graph]
    definition.subgraphIndex = 0
    model.signatureDefs = [definition]
    model.metadata, model.metadataBuffer = [], None
