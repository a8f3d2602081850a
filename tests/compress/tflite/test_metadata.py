import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.compress.tflite.metadata import add_metadata
from kdtasks.core.errors import ExportError


@pytest.fixture(scope="module")
def plain():
    """A file as a converter packs it: two buffers of weights, one entry of metadata."""
    import flatbuffers

    model = schema.ModelT()
    model.version, model.description = 3, b"made by a test"
    model.buffers = [schema.BufferT(), schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.arange(64, dtype=np.uint8)
    model.buffers[2].data = np.frombuffer(b"1.14.0\0", np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"min_runtime_version", 2
    model.metadata = [entry]
    model.subgraphs, model.operatorCodes, model.signatureDefs = [], [], []
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@given(value=st.binary(max_size=200), name=st.text("abc_", min_size=1, max_size=40))
def test_what_is_added_is_found_and_all_else_is_still_there(plain, value, name):
    content = add_metadata(plain, name, value)
    assert content.endswith(plain[8:])
    assert (len(content) - len(plain)) % 16 == 0
    old, new = (schema.ModelT.InitFromPackedBuf(buffer, 0) for buffer in (plain, content))
    assert (new.version, new.description) == (3, old.description)
    assert [entry.name for entry in new.metadata] == [b"min_runtime_version", name.encode()]
    assert [entry.buffer for entry in new.metadata] == [2, 3]
    assert np.array_equal(new.buffers[1].data, np.arange(64))
    assert bytes(new.buffers[2].data) == b"1.14.0\0"
    stored = new.buffers[3].data
    assert bytes(stored if stored is not None else b"") == value
    # Twice as well, though kdtasks itself does not.
    again = schema.ModelT.InitFromPackedBuf(add_metadata(content, "other", b"x"), 0)
    assert bytes(again.buffers[4].data) == b"x"


def test_a_file_that_keeps_its_weights_elsewhere_is_refused():
    import flatbuffers

    model = schema.ModelT()
    model.buffers = [schema.BufferT()]
    model.buffers[0].offset, model.buffers[0].size = 4096, 16
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ExportError, match="keeps its weights outside the flatbuffer"):
        add_metadata(bytes(builder.Output()), "note", b"")
