"""The stages around the networks, from an imported teacher to the comparison, on a toy dataset."""

import json
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import BundleError, ParamsError, TeacherError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.compress import Compressed, Parity
from kdtasks.core.records.data import Unlabelled
from kdtasks.data.labels import write_labelled
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.unlabelled import UnlabelledImages, write_unlabelled
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.params import Params, load_params
from stages import calibrate, compare, compress, distill, export, student, targets, teacher
from tests.tools.records import training

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
CLASS_NAMES = ("dark", "dim", "light", "bright")


@pytest.fixture
def params() -> Params:
    settings = load_params(RECIPE).model_dump()
    settings["seeds"] = [4, 7]
    settings["student"]["start"] = "start"
    settings["augmentation"]["views"] = 2
    settings["compress"]["representative_images"] = 5
    settings["teacher"] |= {"source": "import", "path": "grey.h5"}
    settings["evaluate"]["bootstrap_samples"] = 50
    return Params.model_validate(settings)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> Path:
    """A folder after `prepare`: 60 images of four greys, and a teacher that tells them apart."""
    from kdtasks.core.backend import keras

    monkeypatch.chdir(tmp_path)
    Path("start").mkdir()
    generator = np.random.default_rng(0)
    labels = (np.arange(60) % 4).astype(np.int32)
    noise = generator.integers(-30, 31, (60, 8, 8, 1))
    images = (32 + 64 * labels[:, None, None, None] + noise).astype(np.uint8)
    dataset = RawDataset(
        task="classification",
        images=images,
        labels=labels,
        class_names=CLASS_NAMES,
        origins=tuple(str(row) for row in range(60)),
    )
    rows = np.split(np.arange(60), [24, 36, 48])
    names = ("train", "validation", "calibration", "test")
    write_prepared(Path("data/prepared"), dataset, dict(zip(names, rows, strict=True)), params.data)
    nothing = Unlabelled(images=0, excluded=(), repeated=0)
    write_unlabelled(PATHS.unlabelled, UnlabelledImages(images[:0], (), nothing))
    write_labelled(PATHS.labelled, np.arange(24))

    levels = np.array([32, 96, 160, 224]) / 255
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.GlobalAveragePooling2D(name="brightness"),
            keras.layers.Dense(4, activation="softmax", name="nearest"),
        ]
    )
    # The nearest level: −(x − level)² less what all share, sharpened a hundredfold.
    network.set_weights([200 * levels[None], -100 * levels**2])
    with pytest.warns(UserWarning, match="HDF5"):
        network.save("grey.h5")
    return tmp_path


@pytest.fixture
def students(project: Path, params: Params) -> None:
    """Untrained students in the place of trained ones; seed 7 is said to be the best."""
    from kdtasks.core.backend import seed_everything
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.saved import save_model

    seed_everything(0)
    model = build(
        params.student.model, input_shape=(8, 8, 1), num_classes=4, exits=params.student.exits
    )
    for seed, accuracy in ((4, 0.25), (7, 0.5)):
        for stage in ("student", "distill"):
            save_model(Path("models") / stage / str(seed), model)
        training(accuracy).write(PATHS.metrics("distill", seed))


def test_an_imported_teacher_gives_targets(project, params, capsys):
    teacher.main(params, PATHS)
    assert sorted(path.name for path in Path("models/teacher").iterdir()) == [
        "teacher.h5",
        "teacher.json",
    ]
    assert read_json(Path("models/teacher/teacher.json")) == {
        "file": "teacher.h5",
        "columns": [0, 1, 2, 3],
        "input": {"scaling": "unit", "layout": "rgb"},
        "output": "probabilities",
        "parameters": 8,
    }
    assert read_json(Path("metrics/teacher.json")) == {
        "validation": {"accuracy": [1.0], "balanced_accuracy": [1.0], "macro_f1": [1.0]},
        "parameters": 8,
        "macs": None,
        "epochs": 0,
        "seed": None,
    }
    header = "epoch,loss,accuracy,validation_loss,validation_accuracy\n"
    assert Path("plots/teacher.csv").read_text() == header
    assert "imported teacher: validation accuracy 100.00%" in capsys.readouterr().out

    targets.main(params, PATHS)
    logits = np.load("data/targets/logits.npy")
    assert (logits.shape, logits.dtype) == ((2, 24, 4), np.float16)
    np.testing.assert_array_equal(
        logits[0].argmax(axis=-1), open_prepared(Path("data/prepared")).labels("train")
    )
    # Probabilities came back as their logarithms, less the largest of each image.
    assert (logits.max(axis=-1) == 0).all()
    sums = np.exp(logits.astype(np.float32)).sum(axis=-1)
    assert (sums >= 1).all()
    assert (sums < 1.1).all()  # this teacher is sure


def test_an_online_teacher_teaches_beside_the_student(project, params, monkeypatch):
    """Student and distilled one see the same new views; the teacher is asked about just those."""
    from kdtasks.learn.training.examples import Block
    from kdtasks.learn.training.online import OnlineExamples, no_logits

    settings = params.model_dump()
    settings["targets"] |= {"mode": "online", "features": ["brightness"]}
    settings["distill"] |= {
        "epochs": 2,
        "hints": [{"student": "block_1", "teacher": "brightness", "weight": 0.1}],
    }
    settings["train"] |= {"batch_size": 8, "guard_epochs": 50}
    settings["teacher"]["output"] = "probabilities"
    settings["augmentation"]["transforms"] = ["shift"]
    params = Params.model_validate(settings)
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    # none but which images without a label are taught
    assert [path.name for path in Path("data/targets").glob("*.npy")] == ["unlabelled.npy"]

    seen: dict[str, list[Block]] = {"student": [], "distill": []}
    blocks = OnlineExamples.blocks

    def watched(self, **rest):
        for block in blocks(self, **rest):
            seen["student" if self.predict_teacher is no_logits else "distill"].append(block)
            yield block

    monkeypatch.setattr(OnlineExamples, "blocks", watched)
    student.main(params, PATHS, "4")
    distill.main(params, PATHS, "4")
    assert len(seen["student"]) == len(seen["distill"]) == 2  # an epoch of three steps is a block
    for alone, taught in zip(seen["student"], seen["distill"], strict=True):
        np.testing.assert_array_equal(alone.images, taught.images)
        np.testing.assert_array_equal(alone.labels, taught.labels)
        assert taught.logits.shape == (3, 8, 4)
        assert alone.logits.shape == (3, 8, 0)
    assert (seen["student"][0].images != seen["student"][1].images).any()
    sizes = {
        stage: read_json(Path(f"metrics/{stage}/4.json"))["parameters"]
        for stage in ("student", "distill")
    }
    # Neither the teacher nor the projection of a hint has become a part of the student.
    assert sizes["student"] == sizes["distill"]


def test_a_student_of_the_teachers_shape_is_born_again(project, params):
    """The teacher's network given to the student: the same weights to train, and no projection."""
    settings = params.model_dump()
    network = settings["student"]["model"]
    settings["teacher"] |= {"source": "train", "path": ".", "model": network, "epochs": 2}
    settings["student"]["exits"] = []
    settings["targets"]["features"] = ["block_1"]
    settings["distill"] |= {
        "epochs": 2,
        "hints": [{"student": "block_1", "teacher": "block_1", "weight": 0.1}],
    }
    settings["train"] |= {"batch_size": 8, "guard_epochs": 50}
    params = Params.model_validate(settings)
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    distill.main(params, PATHS, "4")
    before, after = (
        read_json(Path(f"models/{name}/model.json")) for name in ("teacher", "distill/4")
    )
    assert before == after
    weights = [
        Path(f"models/{name}/model.weights.h5").read_bytes() for name in ("teacher", "distill/4")
    ]
    assert len(weights[0]) == len(weights[1])
    assert weights[0] != weights[1]
    header = Path("plots/distill/4.csv").read_text().splitlines()[0]
    assert header.endswith(",teacher_agreement,alpha,temperature")


def test_a_teacher_of_another_run_was_trained_on_none_of_these_images(project, params, capsys):
    from kdtasks.learn.teachers.teacher import open_teacher

    settings = params.model_dump()
    network = settings["student"]["model"]
    settings["teacher"] |= {"source": "train", "path": ".", "model": network, "epochs": 2}
    settings["train"] |= {"batch_size": 8, "guard_epochs": 50}
    teacher.main(Params.model_validate(settings), PATHS)
    Path("models/teacher").rename("given")
    settings["teacher"] |= {"source": "import", "path": "given", "model": None}
    imports = Params.model_validate(settings)
    capsys.readouterr()
    dataset = open_prepared(Path("data/prepared"))
    answers = open_teacher(Path("given")).logits(dataset.images("validation")).argmax(axis=-1)
    labels = Path("data/prepared/validation_labels.npy")
    np.save(labels, answers.astype(np.int32))  # after two epochs it is worse than guessing
    teacher.main(imports, PATHS)
    printed = capsys.readouterr().out
    assert "cannot be checked" not in printed
    assert "teacher input: byte; " in printed  # known, not found out
    assert sorted(path.name for path in Path("models/teacher/trained").iterdir()) == [
        "model.json",
        "model.weights.h5",
        "trained_on.npz",
    ]
    targets.main(imports, PATHS)

    train, test = (Path(f"data/prepared/{name}_images.npy") for name in ("train", "test"))
    images, held_back = np.load(train), np.load(test)
    np.save(train, np.concatenate([held_back[:3], images[3:]]))
    np.save(test, np.concatenate([images[:3], held_back[3:]]))
    with pytest.raises(TeacherError, match="the teacher given was trained on 3 of 12 test images"):
        teacher.main(imports, PATHS)
    assert Path("models/teacher/trained").is_dir()  # that of before


def test_both_trainings_start_from_the_network_that_is_given(students, project, params, capsys):
    from kdtasks.learn.networks.saved import load_model

    settings = params.model_dump()
    settings["student"]["learning_rate"] = 1e-9
    settings["distill"]["epochs"] = 1
    params = Params.model_validate(settings)
    Path("models/distill/7").rename("start/4")
    given = load_model(Path("start/4")).network.trainable_variables
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    for stage in (student, distill):
        stage.main(params, PATHS, "4")
        assert "/4: initialized from start/4" in capsys.readouterr().out
    for name in ("student", "distill"):
        trained = load_model(Path(f"models/{name}/4")).network.trainable_variables
        for one, other in zip(trained, given, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
        assert read_json(Path(f"metrics/{name}/4.json"))["start"] == "start/4"
    with pytest.raises(ParamsError, match="start holds 4, but no folder 7 for the seed 7"):
        distill.main(params, PATHS, "7")


def test_a_missing_teacher_stops_before_anything_is_written(project, params):
    Path("grey.h5").unlink()
    with pytest.raises(TeacherError, match=r"teacher\.path: grey\.h5 not found"):
        teacher.main(params, PATHS)
    assert not Path("models").exists()
    assert not Path("metrics").exists()


def test_a_teacher_trained_here_is_opened_as_one(students, project, params):
    from kdtasks.learn.networks.inference import ForwardPass
    from kdtasks.learn.networks.saved import load_model
    from kdtasks.learn.teachers.teacher import open_teacher

    images = open_prepared(Path("data/prepared")).images("test")
    model = load_model(Path("models/student/4"))
    opened = open_teacher(Path("models/student/4"), batch_size=5)
    expected = ForwardPass(model).logits(images)[-1]
    np.testing.assert_allclose(opened.logits(images), expected, rtol=1e-5, atol=1e-5)
    assert (opened.parameters, opened.macs) == (model.count_parameters(), model.macs()[-1])


def test_compress_starts_from_the_best_seed_and_compare_sees_all(students, project, params, capsys):
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    compress.main(params, PATHS, "int8")
    figures = read_json(Path("metrics/compress/int8.json"))
    assert figures["base_seed"] == 7
    assert len(figures["validation"]["accuracy"]) == len(figures["macs"]) == 3
    # Room is left for what the export puts inside.
    size = Path("models/compress/int8/model.tflite").stat().st_size
    assert size + 400 < figures["bytes"] < size + 1_500

    compare.main(params, PATHS)
    comparison = read_json(Path("metrics/compare.json"))
    assert comparison["teacher"]["accuracy"] == 1.0
    assert set(comparison["student"]["by_seed"]) == {"4", "7"}
    # Student and distilled are the same network here.
    assert comparison["gain"]["mean"] == 0.0
    assert "distillation: inconclusive" in capsys.readouterr().out
    judged = read_json(Path("metrics/label_errors.json"))
    assert set(judged["images"]) == {"validation", "calibration"}
    assert judged["students"] == 2
    assert judged["teacher"] == 0  # nothing tells which of them an imported one has learnt
    assert Path("plots/label_errors.npz").is_file()


def test_a_file_too_far_from_its_network_gets_no_bundle(students, project, params, capsys):
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    compress.main(params, PATHS, "int8")
    found = Compressed.read(PATHS.metrics("compress", "int8"))
    # Five of twelve calibration images set the ranges: too few others to leave them out.
    assert (found.parity.rows, found.parity.set_ranges) == (12, True)
    assert len(found.parity.exits) == 3

    calibrate.main(params, PATHS, "int8")
    export.main(params, PATHS, "int8")
    manifest = read_manifest(PATHS.bundle("int8"))
    assert Parity.model_validate_json(json.dumps(manifest.parity)) == found.parity
    assert "parity" not in manifest.parameters["compress"]

    settings = params.model_dump()
    settings["compress"]["parity"]["max_logit_error"] = 1e-6
    params = Params.model_validate(settings)
    calibrate.main(params, PATHS, "int8")
    export.main(params, PATHS, "int8")
    assert "int8: skipped: the file is too far from the float network" in capsys.readouterr().out
    with pytest.raises(
        BundleError, match=r"stands for no model.*standard deviation, 0\.0001.% are"
    ):
        read_manifest(PATHS.bundle("int8"))
    assert Compressed.read(PATHS.metrics("compress", "int8")) == found


def test_what_the_test_split_holds_changes_no_compressed_model(students, project, params):
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    compress.main(params, PATHS, "int8")
    written = {path: path.read_bytes() for path in _compressed()}
    for path in Path("data/prepared").glob("test_*.npy"):
        array = np.load(path)
        np.save(path, array.max() - array)
    compress.main(params, PATHS, "int8")
    assert {path: path.read_bytes() for path in _compressed()} == written


def _compressed() -> list[Path]:
    return [Path("models/compress/int8/model.tflite"), Path("metrics/compress/int8.json")]


def test_a_network_of_the_users_own_goes_through_the_stages(project, params, capsys):
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.saved import load_model

    image = keras.Input((8, 8, 1))
    tensor = keras.layers.Conv2D(1, 1, name="conv")(image)
    tensor = keras.layers.GlobalAveragePooling2D(name="brightness")(tensor)
    network = keras.Model(image, keras.layers.Dense(4, activation="softmax", name="out")(tensor))
    levels = np.array([32, 96, 160, 224]) / 255  # it knows the classes, as the teacher does
    network.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1), 200 * levels[None], -100 * levels**2])
    network.save("start/own.keras")
    settings = params.model_dump()
    settings["student"] |= {
        "model": {"name": "file", "path": "own.keras", "weights": "file", "head_first": 0.5},
        "exits": ["conv"],
        "learning_rate": 1e-5,
    }
    settings["distill"]["epochs"] = 2
    params = Params.model_validate(settings)
    teacher.main(params, PATHS)
    targets.main(params, PATHS)
    for stage in (student, distill):
        stage.main(params, PATHS, "4")
        assert "2 layers begin with trained weights" in capsys.readouterr().out
    Path("start/own.keras").unlink()
    for name in ("student", "distill"):
        found = read_json(Path(f"metrics/{name}/4.json"))
        assert found["validation"]["accuracy"][-1] == 1.0
        model = load_model(Path(f"models/{name}/4"))
        assert model.num_exits == 2
        assert {"conv", "out_logits"} <= {layer.name for layer in model.network.layers}
