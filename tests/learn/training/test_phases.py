"""TrainedNetwork weights: first new layers alone, then everything at a smaller rate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import keras
from kdtasks.core.errors import ModelError
from kdtasks.core.paths import ProjectPaths
from kdtasks.data.prepare import write_prepared
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.learn.networks.file import File
from kdtasks.learn.networks.pretrained import Phases
from kdtasks.learn.objectives.objective import LabelObjective, make_label_loss
from kdtasks.learn.schedules import History
from kdtasks.learn.training import loop
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.phases import phases_of, train_phases
from kdtasks.learn.training.run import TrainedNetwork, TrainingRun, run_training, write_trained
from kdtasks.learn.training.settings import TrainingSetup, TrainParams
from kdtasks.params import Params, load_params
from tests.learn.training.conftest import noisy_quadrants

RECIPE = Path(__file__).parents[3] / "recipes" / "mnist-5k.yaml"
SETTINGS = TrainParams(batch_size=8, guard_epochs=50)


@pytest.fixture
def network() -> Any:
    image = keras.Input((8, 8, 1))
    tensor = keras.layers.Conv2D(
        4, 3, kernel_initializer=keras.initializers.Constant(0.2), name="trunk"
    )(image)
    tensor = keras.layers.BatchNormalization(name="norm")(tensor)
    tensor = keras.layers.Flatten(name="features")(keras.layers.ReLU(name="relu")(tensor))
    return keras.Model(image, keras.layers.Dense(7, name="other_classes")(tensor))


@pytest.fixture
def schedule() -> TrainingSchedule:
    return TrainingSchedule(SETTINGS, epochs=10, learning_rate=0.02, seed=3, keeps_best="accuracy")


def test_the_phases_share_the_epochs(schedule, network):
    trained = {"trunk", "norm"}
    head, rest = phases_of(schedule, Phases(head=0.3, rate=0.1), network, trained)
    assert (head.schedule.epochs, head.schedule.learning_rate) == (3, 0.02)
    assert (rest.schedule.epochs, rest.schedule.learning_rate) == (7, pytest.approx(0.002))
    assert (head.schedule.keeps_best, rest.schedule.keeps_best) == (None, "accuracy")
    assert (head.frozen, rest.frozen) == ({"trunk", "norm"}, {"norm"})


@pytest.mark.parametrize(("stop", "epochs"), [(2, [2]), (3, [3]), (5, [3, 2]), (10, [3, 7])])
def test_a_training_that_stops_early_stops_in_its_phase(stop, epochs, schedule, network):
    schedule = replace(schedule, stop_epoch=stop)
    phases = phases_of(schedule, Phases(head=0.3), network, {"trunk", "norm"})
    assert [phase.schedule.last_epoch for phase in phases] == epochs


def test_without_new_layers_or_trained_ones_there_is_one_phase(schedule, network):
    every = {layer.name for layer in network.layers if layer.weights}
    [phase] = phases_of(schedule, Phases(rate=0.5), network, every)
    assert (phase.schedule.epochs, phase.schedule.learning_rate) == (10, 0.01)
    for phases, trained in ((Phases(), set()), (None, every)):
        [phase] = phases_of(schedule, phases, network, trained)
        assert (phase.schedule, phase.frozen) == (schedule, frozenset())


def test_records_are_numbered_on_and_listeners_hear_of_the_last_phase(schedule, network):
    heard: list[list[int]] = []
    schedule = replace(
        schedule, on_epoch=lambda history: heard.append([record["epoch"] for record in history])
    )
    frozen = []

    def fit(phase: Any, before: History) -> list[dict[str, float]]:
        assert len(before) == (0 if phase.name else 2)
        frozen.append([layer.name for layer in network.layers if not layer.trainable])
        history: list[dict[str, float]] = []
        for epoch in range(1, phase.schedule.epochs + 1):
            history.append({"epoch": epoch})
            if phase.schedule.on_epoch:
                phase.schedule.on_epoch(history)
        return history

    phases = phases_of(replace(schedule, epochs=4), Phases(head=0.5), network, {"trunk", "norm"})
    history = train_phases(phases, network, fit)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert heard == [[1], [1, 2]]  # what the head phase reached is not what comes out
    assert frozen == [["trunk", "norm"], ["norm"]]
    assert all(layer.trainable for layer in network.layers)


@pytest.fixture
def params() -> Params:
    return load_params(RECIPE)


@pytest.fixture
def dataset(tmp_path: Path, params: Params) -> PreparedDataset:
    images, labels = noisy_quadrants(64, seed=1)
    raw = RawDataset(
        task="classification",
        images=images,
        labels=labels,
        class_names=("a", "b", "c"),
        origins=tuple(map(str, range(64))),
    )
    parts = {"train": 32, "validation": 24, "calibration": 4, "test": 4}
    rows = np.split(np.arange(64), np.cumsum(list(parts.values()))[:-1])
    write_prepared(
        tmp_path / "data/prepared", raw, dict(zip(parts, rows, strict=True)), params.data
    )
    return open_prepared(tmp_path / "data/prepared")


@pytest.fixture
def fine_tune(tmp_path: Path, dataset: PreparedDataset, params: Params, network: Any) -> Any:
    network.get_layer("norm").moving_mean.assign([0.1, 0.2, 0.3, 0.4])
    network.save(tmp_path / "own.keras")

    def run(
        *,
        features: str | None = "features",
        kind: type[LabelObjective] = LabelObjective,
        **changes: Any,
    ) -> TrainedNetwork:
        schedule = TrainingSchedule(SETTINGS, epochs=4, learning_rate=0.1, seed=3, **changes)
        architecture = File(path="own.keras", features=features, weights="file", head_first=0.5)
        images, labels = dataset.images("train"), dataset.labels("train")
        return run_training(
            TrainingRun(
                name="student/3", network=architecture, schedule=schedule, inputs=[], files=tmp_path
            ),
            TrainingSetup(SETTINGS, "float32", {}, "accuracy"),
            dataset=dataset,
            examples=TrainingExamples(np.asarray(images)[None], np.asarray(labels)[None]),
            objective=kind(make_label_loss(SETTINGS.loss, dataset, balance="none")),
            paths=ProjectPaths(tmp_path),
        )

    return run


def test_the_head_learns_alone_and_the_trunk_after_it(fine_tune, network, dataset, tmp_path):
    def weights(trained: TrainedNetwork, layer: str) -> list[np.ndarray]:
        return trained.model.network.get_layer(layer).get_weights()

    head = fine_tune(stop_epoch=2)
    for layer in ("trunk", "norm"):
        for one, other in zip(
            weights(head, layer), network.get_layer(layer).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    whole = fine_tune(keeps_best="accuracy")
    assert [record["epoch"] for record in whole.history] == [1, 2, 3, 4]
    # The head's phase is the same, so the second one begins where it ended.
    assert whole.history[:2] == head.history
    assert np.abs(weights(whole, "trunk")[0] - weights(head, "trunk")[0]).max() > 1e-4
    np.testing.assert_allclose(weights(whole, "norm")[2], [0.1, 0.2, 0.3, 0.4])
    write_trained(whole, dataset, ProjectPaths(tmp_path))
    assert not list((tmp_path / ".kdtasks/checkpoints").iterdir())


class Course(LabelObjective):
    """An objective whose value tells how far a training has come, and what came before."""

    def epoch_values(self, *, epoch: int, epochs: int, history: History) -> dict[str, float]:
        return {"progress": epoch / epochs, "known": float(len(history))}


def test_schedules_orders_and_views_go_on_in_the_second_phase(fine_tune, monkeypatch):
    shown: dict[str, list[int]] = {"order_of": [], "blocks": []}

    def noted(place: Any, name: str) -> None:
        original = getattr(place, name)

        def call(*given: Any, **more: Any) -> Any:
            shown[name].append(more["epoch"])
            return original(*given, **more)

        monkeypatch.setattr(place, name, call)

    noted(loop, "order_of")
    noted(TrainingExamples, "blocks")
    history = fine_tune(kind=Course).history
    assert shown == {"order_of": [1, 2, 3, 4], "blocks": [1, 2, 3, 4]}
    assert [record["progress"] for record in history] == [0.25, 0.5, 0.75, 1.0]
    assert [record["known"] for record in history] == [0.0, 1.0, 2.0, 3.0]


def test_an_answer_for_each_pixel_is_refused_where_images_have_a_class(fine_tune, tmp_path):
    image = keras.Input((8, 8, 1))
    network = keras.Model(image, keras.layers.Conv2D(3, 1, name="features")(image))
    network.save(tmp_path / "own.keras")
    with pytest.raises(ModelError, match="gives 8×8 answers an image, the dataset has one: class"):
        fine_tune(features=None)


def test_a_short_phase_is_not_taken_for_a_training_that_has_broken_down(schedule, network):
    # The guard's patience is bounded by the epochs of the whole training, not of the phase.
    phases = phases_of(schedule, Phases(head=0.1), network, {"norm"})
    assert [phase.schedule.total_epochs for phase in phases] == [10, 10]
