"""Early exits wait for a share of the epochs; until then the last exit is trained alone."""

from dataclasses import replace

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.objectives.distillation import DistillationObjective, DistillParams
from kdtasks.learn.objectives.objective import LabelObjective, Objective, Step, backbone_first

DRAW = np.random.default_rng(5)
EXITS = [tf.constant(DRAW.normal(size=(6, 4)), tf.float32) for _ in range(3)]
STEP = Step(
    exits=EXITS,
    labels=tf.constant(DRAW.integers(0, 4, 6)),
    teacher_logits=tf.constant(DRAW.normal(size=(6, 4)), tf.float32),
)
OBJECTIVES: list[Objective] = [
    LabelObjective(),
    DistillationObjective(DistillParams(alpha=0.4, temperature=3.0)),
]


def step_of(objective: Objective, *, epoch: int, epochs: int = 10) -> Step:
    values = objective.epoch_values(epoch=epoch, epochs=epochs, history=())
    return replace(STEP, values={name: tf.constant(value) for name, value in values.items()})


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["labels", "distillation"])
@pytest.mark.parametrize(("epoch", "alone"), [(1, True), (3, True), (4, False), (10, False)])
def test_the_loss_is_the_last_exits_and_then_that_of_all(
    objective: Objective, epoch: int, alone: bool
):
    patient = backbone_first(objective, 0.3)
    step = step_of(patient, epoch=epoch)
    exits = EXITS[-1:] if alone else EXITS
    assert float(patient(step)) == pytest.approx(float(objective(replace(step, exits=exits))))


def test_waiting_exits_get_no_gradient():
    patient = backbone_first(LabelObjective(), 0.5)

    @tf.function
    def gradients(values: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(EXITS)
            loss = patient(replace(STEP, values=values))
        return tape.gradient(loss, EXITS)

    for epoch, moved in ((1, [False, False, True]), (6, [True, True, True])):
        found = gradients(step_of(patient, epoch=epoch).values)
        assert [bool(np.any(each.numpy())) for each in found] == moved


def test_numbers_are_the_objectives_and_one_more():
    patient = backbone_first(OBJECTIVES[1], 0.25)
    values = [patient.epoch_values(epoch=epoch, epochs=4, history=()) for epoch in (1, 2, 3, 4)]
    assert [each.pop("early_exits") for each in values] == [0.0, 1.0, 1.0, 1.0]
    assert values[0] == OBJECTIVES[1].epoch_values(epoch=1, epochs=4, history=())
    assert patient.hints == OBJECTIVES[1].hints


def test_without_a_share_nothing_changes():
    assert backbone_first(OBJECTIVES[0], 0.0) is OBJECTIVES[0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_all_exits_are_trained_in_the_end(share: float):
    patient = backbone_first(LabelObjective(), share)
    assert patient.epoch_values(epoch=3, epochs=3, history=())["early_exits"] == 1.0


def test_a_training_run_tells_when_early_exits_joined():
    from kdtasks.learn.networks.build import build
    from kdtasks.learn.networks.cnn import CNN
    from kdtasks.learn.training.examples import TrainingExamples
    from kdtasks.learn.training.loop import TrainingSchedule, train
    from kdtasks.learn.training.settings import TrainParams

    labels = np.arange(64, dtype=np.int32) % 2
    noise = np.random.default_rng(0).integers(0, 30, (64, 8, 8, 1), np.uint8)
    images = (200 * labels[:, None, None, None] + noise).astype(np.uint8)
    model = build(
        CNN(filters=(3, 4)),
        input_shape=(8, 8, 1),
        num_classes=2,
        exits=["block_1"],
    )
    heads = [model.network.get_layer(f"exit_{k}_logits").kernel for k in (0, 1)]
    before = [head.numpy() for head in heads]
    history = train(
        model,
        TrainingExamples(images[np.newaxis], labels[np.newaxis]),
        validation=(images, labels),
        objective=backbone_first(LabelObjective(), 0.5),
        schedule=TrainingSchedule(
            TrainParams(batch_size=8, guard_epochs=5), epochs=4, learning_rate=0.03, seed=0
        ),
    )
    assert [record["early_exits"] for record in history] == [0.0, 0.0, 1.0, 1.0]
    for head, kept in zip(heads, before, strict=True):
        assert not np.array_equal(head, kept)
