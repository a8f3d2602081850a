"""Write the tables of a `.tflite`, every vector of numbers and every name once."""

from typing import Any

# Where the format wants weights to begin, so that a program may map the file and compute.
_WEIGHT_ALIGNMENT = 16


def pack(content: bytes) -> bytes:
    """Write a file of the converter anew, so that equal vectors and names share their place in it.

    The converter repeats a row of zeros, eight bytes a filter, beside the scales of every kernel
    and every bias, and shapes and lists in every signature. It names a tensor by all operations
    that it was made of, a hundred letters of them, and so the weights and biases; here they are
    named by their layer. A file that keeps its weights outside the tables, as those beyond 2 GB
    do, stays as it is.
    """
    # The converter's own, so nothing that it wrote is unknown here.
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if any(buffer.offset for buffer in model.buffers):
        return content
    for graph in model.subgraphs:
        outside = {int(number) for number in [*graph.inputs, *graph.outputs]}
        for number, tensor in enumerate(graph.tensors):
            if number not in outside and tensor.name:
                tensor.name = _layer_of(tensor.name)
    return write_model(model)


def _layer_of(name: bytes) -> bytes:
    """`stem_conv` of `segment_0/stem_norm/FusedBatchNormV3;segment_0/stem_conv/Conv2D1`."""
    parts = name.rpartition(b";")[2].split(b"/")
    return parts[1] if len(parts) > 1 and parts[0].startswith(b"segment_") else name


def write_model(model: Any) -> bytes:
    """Write a `ModelT` of the format's schema; equal vectors and names share their place."""
    import flatbuffers

    class SharingBuilder(flatbuffers.Builder):
        """A builder that remembers where it has put every vector of numbers and every name."""

        def __init__(self) -> None:
            super().__init__()
            self._places: dict[tuple[str, bytes], int] = {}

        def CreateString(self, s: Any, *options: Any) -> int:  # noqa: N802
            key = ("name", s if isinstance(s, bytes) else s.encode())
            if key not in self._places:
                self._places[key] = int(super().CreateString(s, *options))
            return self._places[key]

        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
            if elemSize == 1:
                alignment = _WEIGHT_ALIGNMENT
            return int(super().StartVector(elemSize, numElems, alignment))

        def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802
            key = (x.dtype.str, x.tobytes())
            if key not in self._places:
                self._places[key] = super().CreateNumpyVector(x)
            return self._places[key]

    builder = SharingBuilder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
