"""Teachers trained here: one, one that is stopped early, and several that are averaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.files import read_json
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.training import Training
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.learn.training.trend import trend_of
from kdtasks.params import Params, load_params

RECIPE = Path(__file__).parents[3] / "recipes" / "digits.yaml"
EPOCHS = 3


def params(**teacher: Any) -> Params:
    """A teacher of a few hundred weights and three epochs, with what a test wants otherwise."""
    settings = load_params(RECIPE).model_dump()
    settings["augmentation"]["views"] = 2
    settings["train"] |= {"batch_size": 12, "guard_epochs": 50}
    settings["teacher"]["model"] |= {"filters": (4, 6), "dropout": 0.2}
    settings["teacher"] |= {"epochs": EPOCHS, "seed": 5, **teacher}
    return Params.model_validate(settings)


def make(params: Params, dataset: PreparedDataset) -> None:
    from kdtasks.learn.training.teacher import make_teacher

    make_teacher(
        params.teacher,
        dataset,
        augmentation=params.augmentation,
        setup=params.training(),
        paths=ProjectPaths(),
    )


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PreparedDataset:
    """Four greys that differ by noise alone where they meet; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    labels = (np.arange(96) % 4).astype(np.int32)
    images = (32 + 50 * labels[:, None, None, None] + draw.integers(-30, 31, (96, 8, 8, 1))).astype(
        np.uint8
    )
    dataset = RawDataset(
        task="classification",
        images=images,
        labels=labels,
        class_names=("dark", "dim", "light", "bright"),
        origins=tuple(str(row) for row in range(96)),
    )
    names = ("train", "validation", "calibration", "test")
    rows = dict(zip(names, np.split(np.arange(96), [48, 88, 92]), strict=True))
    write_prepared(Path("data/prepared"), dataset, rows, params().data)
    return open_prepared(Path("data/prepared"))


def outputs() -> dict[str, bytes]:
    """Everything that the stage has written."""
    return {
        str(path): path.read_bytes()
        for folder in ("models", "metrics", "plots")
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def test_an_ensemble_is_its_members_and_each_is_the_teacher_of_its_seed(
    dataset: PreparedDataset, capsys: pytest.CaptureFixture[str]
):
    from kdtasks.learn.teachers.outputs import mean_logits
    from kdtasks.learn.teachers.teacher import open_teacher

    make(params(seed=6), dataset)
    alone = Path("models/teacher/model.weights.h5").read_bytes()
    figures_alone = read_json(Path("metrics/teacher.json"))
    make(params(ensemble=2), dataset)
    folder = Path("models/teacher")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "member_0/model.json",
        "member_0/model.weights.h5",
        "member_1/model.json",
        "member_1/model.weights.h5",
        "teacher.json",
        "trained_on.npz",
    ]
    assert (folder / "member_1/model.weights.h5").read_bytes() == alone
    assert (folder / "member_0/model.weights.h5").read_bytes() != alone

    images, labels = dataset.images("validation"), dataset.labels("validation")
    ensemble = open_teacher(folder, batch_size=7)
    members = [open_teacher(folder / f"member_{index}") for index in range(2)]
    expected = mean_logits([member.logits(images) for member in members])
    np.testing.assert_allclose(ensemble.logits(images), expected, rtol=1e-4, atol=1e-4)
    figures = read_json(Path("metrics/teacher.json"))
    assert [member["seed"] for member in figures["members"]] == [5, 6]
    assert figures["members"][1]["accuracy"] == figures_alone["validation"]["accuracy"][0]
    assert figures["members"][1]["loss"] == figures_alone["validation"]["loss"]
    reached = float((expected.argmax(axis=-1) == labels).mean())
    assert figures["validation"]["accuracy"] == [pytest.approx(reached, abs=1e-6)]
    recalls = [
        float((expected.argmax(axis=-1) == labels)[labels == label].mean())
        for label in np.unique(labels)
    ]
    assert figures["validation"]["balanced_accuracy"] == [pytest.approx(np.mean(recalls), abs=1e-6)]
    loss = -float(expected[np.arange(len(labels)), labels].mean())
    assert figures["validation"]["loss"] == pytest.approx(loss, abs=1e-4)
    assert figures["parameters"] == ensemble.parameters == 2 * figures_alone["parameters"]
    assert figures["macs"] == [ensemble.macs] == [2 * figures_alone["macs"][0]]
    assert (figures["epochs"], figures["seed"]) == (EPOCHS, 5)
    assert len(Path("plots/teacher.csv").read_text().splitlines()) == 1 + EPOCHS
    assert "ensemble of 2: validation accuracy" in capsys.readouterr().out
    assert not list(Path(".kdtasks/checkpoints").iterdir())


def test_an_ensemble_that_was_interrupted_loses_at_most_an_epoch(
    dataset: PreparedDataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    from kdtasks.learn.training.monitor import EpochReporter

    settings = params(ensemble=2)
    make(settings, dataset)
    straight = outputs()
    for path in straight:
        Path(path).unlink()
    ended = []
    end_epoch = EpochReporter.end_epoch

    def interrupted(self: EpochReporter, record: Any) -> None:
        ended.append(record["epoch"])
        if len(ended) == EPOCHS + 2:  # the second epoch of the second member
            raise KeyboardInterrupt
        end_epoch(self, record)

    with monkeypatch.context() as patched:
        patched.setattr(EpochReporter, "end_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(settings, dataset)
    assert outputs() == {}
    capsys.readouterr()
    make(settings, dataset)
    printed = capsys.readouterr().out
    assert "resuming after epoch 3" in printed
    assert "resuming after epoch 1" in printed
    assert printed.count("\nepoch ") == EPOCHS - 1
    assert outputs() == straight


def test_a_teacher_that_is_stopped_says_so(dataset: PreparedDataset):

    make(params(stop_epoch=2), dataset)
    assert read_json(Path("metrics/teacher.json"))["epochs"] == 2
    assert len(Path("plots/teacher.csv").read_text().splitlines()) == 1 + 2


@pytest.mark.parametrize(
    ("teacher", "is_told"),
    [
        ({}, True),
        ({"ensemble": 2}, True),
        ({"stop_epoch": 12}, True),
        ({"stop_epoch": 12, "epochs": 13}, False),
    ],
)
def test_a_teacher_tells_its_trend_unless_it_was_stopped_early(
    teacher: dict[str, Any], is_told: bool, dataset: PreparedDataset
):
    make(params(**{"epochs": 12, **teacher}), dataset)
    found = Training.read(Path("metrics/teacher.json")).trend
    rows = np.genfromtxt("plots/teacher.csv", delimiter=",", names=True)["validation_accuracy"]
    expected = trend_of([{"validation_accuracy": score} for score in rows])
    assert found == (expected if is_told else None)


def test_an_ensemble_gives_no_features(dataset: PreparedDataset):
    from kdtasks.core.errors import TeacherError
    from kdtasks.learn.teachers.teacher import open_teacher

    make(params(ensemble=2, epochs=1), dataset)
    with pytest.raises(TeacherError, match=r"an ensemble of 2, whose hidden features cannot be"):
        open_teacher(Path("models/teacher"), layers=["block_1"])
