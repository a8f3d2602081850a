"""Write the tables of a `.tflite`, every vector of numbers once."""

from typing import Any

# Where the format wants weights to begin, so that a program may map the file and compute.
_WEIGHT_ALIGNMENT = 16


def pack(content: bytes) -> bytes:
    """Write a file of the converter anew, so that equal vectors share their place in it.

    The converter repeats a row of zeros, eight bytes a filter, beside the scales of every kernel
    and every bias, and shapes and lists in every signature. A file that keeps its weights outside
    the tables, as those beyond 2 GB do, stays as it is.
    """
    # The converter's own, so nothing that it wrote is unknown here.
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if any(buffer.offset for buffer in model.buffers):
        return content
    return write_model(model)


def write_model(model: Any) -> bytes:
    """Write a `ModelT` of the format's schema; equal vectors of numbers share their place."""
    import flatbuffers

    class SharingBuilder(flatbuffers.Builder):
        """A builder that remembers where it has put every vector of numbers."""

        def __init__(self) -> None:
            super().__init__()
            self._places: dict[tuple[str, bytes], int] = {}

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
