"""The stage `teacher`, and the targets of a teacher from elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError
from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepared import open_prepared
from kdtasks.params import Params
from stages import targets, teacher

PATHS = ProjectPaths()


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
