"""No function out of a SavedModel that touches files is ever run."""

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.formats.saved_model import check_saved_model

ADVICE = "which might run code or touch files when loaded; save the teacher without it"


def calls_python(tf, marker):
    tf.py_function(lambda: marker.touch(), [], [])


def writes(tf, marker):
    tf.io.write_file(str(marker), "evil")


def prints_to_a_file(tf, marker):
    tf.raw_ops.PrintV2(input="evil", output_stream=f"file://{marker}", end="")


def saves_a_checkpoint(tf, marker):
    return tf.raw_ops.SaveV2(
        prefix=str(marker), tensor_names=["a"], shape_and_slices=[""], tensors=[1.0]
    )


def merges_checkpoints(tf, marker):
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(marker.with_name("source"))], destination_prefix=str(marker)
    )


def writes_summaries(tf, marker):
    writer = tf.raw_ops.SummaryWriter(shared_name="", container="")
    tf.raw_ops.CreateSummaryFileWriter(
        writer=writer, logdir=str(marker), max_queue=1, flush_millis=1, filename_suffix=""
    )


def saves_a_dataset(tf, marker):
    tf.raw_ops.DatasetToTFRecord(
        input_dataset=tf.raw_ops.TensorSliceDataset(components=[["evil"]], output_shapes=[[]]),
        filename=str(marker),
        compression_type="",
    )


def writes_in_a_branch(tf, marker):
    def write():
        tf.io.write_file(str(marker), "evil")
        return 0

    tf.cond(tf.random.uniform([], seed=1) < 2.0, write, lambda: 0)


ATTACKS = [
    (calls_python, "EagerPyFunc"),
    (writes, "WriteFile"),
    (prints_to_a_file, "PrintV2"),
    (saves_a_checkpoint, "SaveV2"),
    (merges_checkpoints, "MergeV2Checkpoints"),
    (writes_summaries, "(CreateSummaryFileWriter|SummaryWriter)"),
    (saves_a_dataset, "(TensorSliceDataset|DatasetToTFRecord)"),
    (writes_in_a_branch, "WriteFile"),
]


@pytest.fixture
def save_module(tmp_path):
    """Give a function that saves a network which does something else besides, or first."""
    from kdtasks.core.backend import tf

    def save(attack, **attributes):
        module = tf.Module()
        for name, value in attributes.items():
            setattr(module, name, value)

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), name="image")])
        def serve(image):
            first = attack(tf, tmp_path / "marker") if attack is not None else None
            with tf.control_dependencies([] if first is None else [first]):
                return {"logits": tf.tile(tf.reduce_mean(image, (1, 2, 3))[:, None], [1, 4])}

        tf.saved_model.save(module, tmp_path / "model", signatures=serve)
        return tmp_path / "model"

    return save


def markers(folder):
    return sorted(folder.glob("marker*"))


@pytest.mark.parametrize(("attack", "operation"), ATTACKS)
def test_a_signature_that_touches_files_never_runs(
    attack, operation, save_module, import_file, tmp_path
):
    from kdtasks.core.backend import tf

    path = save_module(attack)
    with pytest.raises(TeacherError, match=f"model holds the operation {operation}, {ADVICE}"):
        import_file(path)
    assert not markers(tmp_path)
    assert not (tmp_path / "imported").exists()
    # The danger is real: TensorFlow itself runs it.
    saves_a_checkpoint(tf, tmp_path / "source")
    loaded = tf.saved_model.load(path)
    loaded.signatures["serving_default"](tf.zeros((1, 8, 8, 3)))
    assert markers(tmp_path)


def test_a_resource_that_writes_as_it_loads_never_does(save_module, import_file, tmp_path):
    from kdtasks.core.backend import tf

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="evil")

        def _initialize(self):
            tf.io.write_file(str(tmp_path / "marker"), "evil")

        def _destroy_resource(self):
            pass

    path = save_module(None, resource=Resource())
    for marker in markers(tmp_path):
        marker.unlink()
    with pytest.raises(TeacherError, match=f"holds the operation WriteFile, {ADVICE}"):
        import_file(path)
    assert not markers(tmp_path)
    tf.saved_model.load(path)
    assert markers(tmp_path)


def test_a_table_from_a_file_is_refused(save_module, import_file, tmp_path):
    from kdtasks.core.backend import tf

    (tmp_path / "words.txt").write_text("a 1\nb 2\n")
    initializer = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"), tf.string, 0, tf.int64, 1, delimiter=" "
    )
    path = save_module(None, table=tf.lookup.StaticHashTable(initializer, -1))
    with pytest.raises(TeacherError, match=r"model holds the operation (HashTable|Initialize)"):
        import_file(path)


@pytest.fixture
def harmless(save_module):
    """A SavedModel as a protocol buffer, and its first function."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((save_module(None) / "saved_model.pb").read_bytes())
    check_saved_model(saved, source="teacher")
    return saved


def add_function(saved, name, operation):
    function = saved.meta_graphs[0].graph_def.library.function.add()
    function.signature.name = name
    function.node_def.add(name="node", op=operation)
    return function


@pytest.mark.parametrize(
    "operation",
    [
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "ImmutableConst",
        "RestoreV2",
        "Print",
        "PyFunc",
        "PyFuncStateless",
        "SqlDataset",
        "LoadDataset",
        "SaveDatasetV2",
        "CacheDatasetV2",
        "TFRecordDatasetV2",
        "DataServiceDatasetV4",
        "DebugIdentityV2",
        "WholeFileReaderV2",
        "SymbolicGradient",
        "RemoteCall",
        "Abort",
        "InitializeTableFromTextFileV2",
        "OfNoLibrary",
    ],
)
def test_operations_that_do_not_only_compute_are_refused(operation, harmless):
    [*_, name] = sorted(harmless.meta_graphs[0].object_graph_def.concrete_functions)
    for function in harmless.meta_graphs[0].graph_def.library.function:
        if function.signature.name == name:
            function.node_def.add(name="evil", op=operation)
    with pytest.raises(TeacherError, match=f"teacher holds the operation {operation}, "):
        check_saved_model(harmless, source="teacher")


def test_a_function_that_nothing_calls_is_left_alone(harmless):
    add_function(harmless, "unused", "WriteFile")
    check_saved_model(harmless, source="teacher")


def test_a_function_that_the_optimizer_may_call_is_looked_at(harmless):
    function = add_function(harmless, "unused", "WriteFile")
    function.attr["api_implements"].s = b"softmax"
    with pytest.raises(TeacherError, match="holds the operation WriteFile"):
        check_saved_model(harmless, source="teacher")


def test_a_function_with_the_name_of_an_operation_hides_nothing(harmless):
    add_function(harmless, "WriteFile", "NoOp")
    function = add_function(harmless, "caller", "WriteFile")
    function.attr["api_implements"].s = b"softmax"
    with pytest.raises(TeacherError, match="holds the operation WriteFile"):
        check_saved_model(harmless, source="teacher")


def test_a_loop_of_tensorflow_1_is_refused(harmless):
    function = add_function(harmless, "unused", "NextIteration")
    function.attr["api_implements"].s = b"softmax"
    with pytest.raises(TeacherError, match=r"teacher holds a loop of TensorFlow 1; save"):
        check_saved_model(harmless, source="teacher")


def test_a_graph_of_tensorflow_1_is_refused(harmless):
    harmless.meta_graphs[0].ClearField("object_graph_def")
    with pytest.raises(TeacherError, match=f"teacher holds a graph of TensorFlow 1, {ADVICE}"):
        check_saved_model(harmless, source="teacher")


@pytest.mark.parametrize("kind", ["tf_keras_saved_model", "keras_3_export"])
def test_dropout_and_resizing_are_safe(kind, kerases, save_network, import_file, tmp_path):
    library = kerases["keras_3" if "keras_3" in kind else "tf_keras"]
    network = library.Sequential(
        [
            library.Input((8, 8, 3)),
            library.layers.Rescaling(2.0),
            library.layers.RandomFlip("horizontal"),
            library.layers.Resizing(4, 4),
            library.layers.DepthwiseConv2D(3),
            library.layers.Dropout(0.5),
            library.layers.Flatten(),
            library.layers.Dense(4, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    save_network(network, tmp_path / kind)
    unlabelled = np.full(40, -1)  # Keras 3 exports layers that go on drawing numbers
    folder = import_file(tmp_path / kind, labels=unlabelled)
    assert (folder / "teacher.json").is_file()
