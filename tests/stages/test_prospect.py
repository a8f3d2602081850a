"""The forecast of a toy project: from validation images alone, with nothing left of its student."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TrainingError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Refusal
from kdtasks.core.records.data import Labels, Targets, Unlabelled
from kdtasks.core.records.prospect import Prospect
from kdtasks.data.labels import write_labelled
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.unlabelled import UnlabelledImages, write_unlabelled
from kdtasks.params import Params, load_params
from stages import prospect, teacher

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
PATHS = ProjectPaths()
SPLITS = {"train": 24, "validation": 40, "calibration": 8, "test": 8}


@pytest.fixture
def params() -> Params:
    settings = load_params(RECIPE).model_dump()
    settings["seeds"] = [4, 7]
    settings["train"] |= {"batch_size": 8, "guard_epochs": 50}
    settings["distill"]["epochs"] = 13
    return Params.model_validate(settings)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params) -> Path:
    """A folder after `labels` and `targets`, with dark and bright images; also the current one.

    The teacher is a network of no layer with weights: the mean brightness decides.
    """
    from kdtasks.core.backend import keras
    from kdtasks.core.files import write_json

    monkeypatch.chdir(tmp_path)
    Path("models/start").mkdir(parents=True)
    rows = sum(SPLITS.values())
    labels = (np.arange(rows) % 2).astype(np.int32)
    noise = np.random.default_rng(0).integers(-30, 31, (rows, 8, 8, 1))
    dataset = RawDataset(
        task="classification",
        images=(64 + 128 * labels[:, None, None, None] + noise).astype(np.uint8),
        labels=labels,
        class_names=("dark", "bright"),
        origins=tuple(map(str, range(rows))),
    )
    parts = np.split(np.arange(rows), np.cumsum(list(SPLITS.values()))[:-1])
    write_prepared(PATHS.prepared, dataset, dict(zip(SPLITS, parts, strict=True)), params.data)
    none = np.empty((0, 8, 8, 1), np.uint8)
    write_unlabelled(
        PATHS.unlabelled, UnlabelledImages(none, (), Unlabelled(images=0, excluded=(), repeated=0))
    )
    write_labelled(PATHS.labelled, np.array([0, 1, 2, 3]))
    Labels(train=4, hidden=20, by_class={}, unlabelled=0, validation=40, calibration=8).write(
        PATHS.metrics("labels")
    )
    Targets(mode="cached", images=24, features=()).write(PATHS.targets / "targets.json")
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    network.set_weights([np.array([[-16.0, 16.0]]), np.array([8.0, -8.0])])
    PATHS.teacher.mkdir(parents=True)
    with pytest.warns(UserWarning, match="HDF5"):
        network.save(PATHS.teacher / "teacher.h5")
    write_json(
        PATHS.teacher / "teacher.json",
        {
            "columns": [0, 1],
            "file": "teacher.h5",
            "input": {"scaling": "unit", "layout": "rgb"},
            "output": "logits",
            "parameters": 4,
        },
    )
    return tmp_path


def test_a_file_of_answers_is_looked_up_by_the_names_of_the_images(project: Path, params: Params):
    names: list[str] = []
    labels: list[int] = []
    dataset = open_prepared(PATHS.prepared)
    for split in reversed(SPLITS):
        names += dataset.names(split)
        labels += dataset.labels(split).tolist()
    np.savez("answers.npz", names=np.array(names), logits=np.eye(2)[labels] * 4)
    settings = params.model_dump()
    settings["teacher"] |= {"source": "logits", "path": "answers.npz", "model": None}
    params = Params.model_validate(settings)
    teacher.main(params, PATHS)
    prospect.main(params, PATHS)
    found = Prospect.read(PATHS.metrics("prospect"))
    assert found.teacher == 1.0
    assert found.confidence == pytest.approx(1 / (1 + np.exp(-4)))


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


def test_a_forecast_comes_from_validation_images_and_leaves_one_file(
    project: Path, params: Params, capsys: pytest.CaptureFixture[str]
):
    before = files()
    for split in ("test", "calibration"):  # there, or nothing opens; but nothing of it is right
        for kind in ("images", "labels"):
            path = PATHS.prepared / f"{split}_{kind}.npy"
            np.save(path, np.zeros_like(np.load(path)))
    prospect.main(params, PATHS)
    assert files() - before == {"metrics/prospect.json"}
    found = Prospect.read(PATHS.metrics("prospect"))
    assert (found.rows, found.teacher, found.epochs) == (40, 1.0, 2)
    assert found.lead[0] <= 1 - found.student <= found.lead[1]
    assert found.agreement == found.student  # as the teacher is always right
    assert (found.labels, found.images, found.temperature) == (4, 24, 2.0)
    printed = capsys.readouterr().out
    assert "epoch 2/2" in printed
    assert f"forecast, from 40 validation images: {found.advice}\n" in printed

    first = PATHS.metrics("prospect").read_bytes()
    prospect.main(params, PATHS)
    assert PATHS.metrics("prospect").read_bytes() == first


def test_a_loss_that_does_not_soften_logits_has_no_entropy(project: Path, params: Params):
    settings = params.model_dump()
    settings["distill"]["loss"] = {"name": "dkd"}
    prospect.main(Params.model_validate(settings), PATHS)
    found = Prospect.read(PATHS.metrics("prospect"))
    assert found.temperature is found.entropy is None


def test_a_bad_teacher_is_a_warning_and_no_failure(
    project: Path, params: Params, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    from kdtasks.learn.teachers import teacher as teachers

    opened = teachers.open_teacher(PATHS.teacher)
    wrong = teachers.Teacher(lambda images: [-opened.logits(images)], 4, None)
    monkeypatch.setattr(teachers, "open_teacher", lambda *rest, **named: wrong)
    settings = params.model_dump()
    settings["distill"]["epochs"] = 60
    prospect.main(Params.model_validate(settings), PATHS)
    found = Prospect.read(PATHS.metrics("prospect"))
    assert (found.teacher, found.outlook, found.epochs) == (0.0, "will not help", 10)
    assert "warning: forecast, from 40 validation images: will not help" in capsys.readouterr().out


def test_a_student_that_does_not_learn_is_told_and_stops_nothing(
    project: Path, params: Params, monkeypatch: pytest.MonkeyPatch
):
    from kdtasks.learn.training import run

    def fail(*arguments: Any, checkpoint: Any, **named: Any) -> None:
        PATHS.checkpoint("prospect/4").parent.mkdir(parents=True)
        PATHS.checkpoint("prospect/4").touch()
        raise TrainingError("the loss became nan in epoch 1")

    monkeypatch.setattr(run, "train", fail)
    prospect.main(params, PATHS)
    found = Prospect.read_or_refusal(PATHS.metrics("prospect"))
    assert isinstance(found, Refusal)
    assert found.refused == "a student of 2 epochs did not learn: the loss became nan in epoch 1"
    assert not PATHS.checkpoint("prospect/4").exists()
