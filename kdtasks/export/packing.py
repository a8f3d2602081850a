"""A `.tflite` written anew, with everything that it says twice said once."""

from typing import Any

# Where the format wants weights to begin, so that a program may map the file and compute.
_WEIGHT_ALIGNMENT = 16


def pack(content: bytes) -> bytes:
    """Let equal vectors of numbers share their place in the file; a reader gets what it got before.

    The converter repeats a row of zeros, eight bytes a filter, beside the scales of every kernel
    and every bias, and shapes and lists in every signature.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class SharingBuilder(flatbuffers.Builder):
        """A builder that remembers where it has put every vector of numbers."""

        def __init__(self) -> None:
            super().__init__(len(content))
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
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    builder.Finish(model.Pack(builder), file_identifier=content[4:8])
    return bytes(builder.Output())
