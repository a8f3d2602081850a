"""What a `.tflite` says of itself, so that the file alone is usable: a manifest's short form.

It is JSON in a buffer of the flatbuffer's own metadata, under the name `kdtasks_manifest`.
"""

from kdtasks.errors import BundleError

NAME = "kdtasks_manifest"
IDENTIFIER = b"TFL3"
FIELDS = (
    "format_version",
    "name",
    "variant",
    "task",
    "class_names",
    "input",
    "segments",
    "score",
    "temperatures",
    "thresholds",
    "macs",
    "dataset_sha256",
)
"""Fields of the manifest that travel in the file: those that running it needs, and its origin."""


def read_metadata(content: bytes, where: str) -> bytes | None:
    """Find the metadata of kdtasks in a `.tflite`; null where it has none.

    Arguments:
        content: of the file.
        where: what to call it in an error.

    Raises:
        BundleError: it is no `.tflite`.
    """
    # LiteRT's own; 10 ms, which a bundle with a manifest.json need not spend.
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != IDENTIFIER:
        raise BundleError(f"{where} is no .tflite (it lacks the identifier TFL3); export it again")
    try:
        model = schema.Model.GetRootAs(content)
        for index in range(model.MetadataLength()):
            entry = model.Metadata(index)
            if entry.Name() == NAME.encode():
                return bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    except Exception as error:  # struct.error and all else that reading cut bytes can raise
        raise BundleError(f"{where} is damaged ({error}); fetch or export it again") from None
    return None
