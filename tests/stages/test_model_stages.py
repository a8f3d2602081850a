"""The stages around the networks, from an imported teacher to the comparison, on a toy dataset."""

import json
from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import BundleError, ParamsError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.compress import Compressed, Parity
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.params import Params
from stages import calibrate, compare, compress, distill, export, student, targets, teacher

PATHS = ProjectPaths()


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
