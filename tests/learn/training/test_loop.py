"""The loop learns, ends with the same bits however it was fed or interrupted, and gives up."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TrainingError
from kdtasks.learn.networks import inference
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.inference import ForwardPass
from kdtasks.learn.objectives.objective import LabelObjective
from kdtasks.learn.training import loop
from kdtasks.learn.training.checkpoint import Checkpoint
from kdtasks.learn.training.examples import TrainingExamples
from kdtasks.learn.training.loop import TrainingSchedule
from kdtasks.learn.training.monitor import COLUMNS, best_epoch
from kdtasks.learn.training.run import exit_scores
from kdtasks.learn.training.step import OptimizerParams

Run = Callable[..., Any]


def shared(schedule: TrainingSchedule, **params: Any) -> TrainingSchedule:
    """The schedule with other params of those that all trainings share."""
    return dataclasses.replace(schedule, params=schedule.params.model_copy(update=params))


def test_it_learns(
    run: Run,
    schedule: TrainingSchedule,
    validation: tuple[np.ndarray, np.ndarray],
    capsys: pytest.CaptureFixture[str],
):
    trained = run(schedule=dataclasses.replace(schedule, epochs=25))
    first, last = trained.history[0], trained.history[-1]
    by_class = ("validation_balanced_accuracy", "validation_macro_f1")
    columns = (*COLUMNS, *by_class, "teacher_agreement", "alpha", "temperature")
    assert [tuple(record) for record in trained.history] == [columns] * 25
    assert {record["teacher_agreement"] for record in trained.history} == {1.0}
    assert {(record["alpha"], record["temperature"]) for record in trained.history} == {(0.5, 2.0)}
    assert [record["epoch"] for record in trained.history] == list(range(1, 26))
    assert last["validation_accuracy"] > 0.95
    assert last["loss"] < first["loss"] / 3
    assert last["validation_loss"] < first["validation_loss"]
    scores = exit_scores(trained.model, *validation)
    assert scores.mean_iou is None  # whole images have none
    assert all(accuracy > 0.8 for accuracy in scores.accuracy)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 25
    assert lines[-1].startswith(f"epoch 25/25  loss {last['loss']:.4f}")
    assert lines[-1].endswith("0:00 left")


def test_it_learns_by_sgd_with_all_exits_together_or_looking_on(
    run: Run, schedule: TrainingSchedule
):
    trained = {}
    for exit_gradient in (0.0, 1.0):
        trained[exit_gradient] = run(
            schedule=shared(
                dataclasses.replace(schedule, epochs=12, learning_rate=0.05),
                optimizer=OptimizerParams(name="sgd", weight_decay=0.001),
                exit_gradient=exit_gradient,
            )
        )
        history = trained[exit_gradient].history
        assert history[-1]["loss"] < 0.7 * history[0]["loss"]
        assert history[-1]["validation_accuracy"] > 0.8
    assert trained[0.0].weights != trained[1.0].weights


@pytest.mark.usefixtures("few_steps_a_block")
@pytest.mark.parametrize("taught", [True, False])
def test_streamed_equals_in_memory(
    taught: bool, run: Run, schedule: TrainingSchedule, examples: TrainingExamples, tmp_path: Path
):
    np.save(tmp_path / "images.npy", examples.images)
    mapped = dataclasses.replace(
        examples,
        images=np.load(tmp_path / "images.npy", mmap_mode="r"),
        teacher_logits=examples.teacher_logits if taught else None,
    )
    objective = None if taught else LabelObjective()
    streamed = run(
        schedule=shared(schedule, memory_limit_mb=0),
        examples=mapped,
        objective=objective,
    )
    in_memory = run(examples=mapped, objective=objective)
    assert streamed.weights == in_memory.weights
    assert streamed.history == in_memory.history


def test_validation_in_parts_gives_the_same_scores(
    validation: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    model = build(CNN(filters=(4,)), input_shape=(8, 8, 1), num_classes=3)
    predictor = ForwardPass(model, batch_size=8)
    whole, answers = loop._validate(predictor, *validation, None)
    monkeypatch.setattr(inference, "_PART_BYTES", 1)  # less than a pass, which is a part then
    assert len(list(predictor.parts(len(validation[0])))) > 2
    scores, counts = loop._validate(predictor, *validation, None)
    assert scores.pop("validation_loss") == pytest.approx(whole.pop("validation_loss"), rel=1e-6)
    assert scores == whole
    assert counts.tolist() == answers.tolist()


def test_blocks_of_large_images_are_shorter_and_the_bits_the_same(
    run: Run, plain: Any, monkeypatch: pytest.MonkeyPatch
):
    # An image of 64 bytes, a label of 4 and three logits of 2, eight to a batch: 592 bytes.
    monkeypatch.setattr("kdtasks.learn.training.loop._BYTES_PER_BLOCK", 1_200)
    lengths = []
    blocks = TrainingExamples.blocks

    def watched(self: TrainingExamples, **rest: Any) -> Iterator[Any]:
        for block in blocks(self, **rest):
            lengths.append(len(block.images))
            yield block

    monkeypatch.setattr(TrainingExamples, "blocks", watched)
    assert run().weights == plain.weights
    assert lengths == [2, 2, 2] * 6


@pytest.mark.usefixtures("few_steps_a_block")
def test_a_run_that_stops_early_has_the_state_of_the_long_run_at_that_epoch(
    run: Run, schedule: TrainingSchedule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Weights, running statistics and optimiser; the cosine is that of all epochs."""
    kept: dict[int, list[bytes]] = {}
    save = Checkpoint.save

    def keep(self: Checkpoint, progress: Any) -> None:
        kept[progress.epoch] = [array.tobytes() for array in progress.arrays]
        save(self, progress)

    monkeypatch.setattr(Checkpoint, "save", keep)
    long = run(checkpoint=Checkpoint(tmp_path / "long.npz", settings=[]))
    of_long = dict(kept)
    kept.clear()
    stopped = run(
        schedule=dataclasses.replace(schedule, stop_epoch=4),
        checkpoint=Checkpoint(tmp_path / "stopped.npz", settings=[]),
    )
    assert list(kept) == [1, 2, 3, 4]
    assert kept[4] == of_long[4]
    assert stopped.history == long.history[:4]
    assert stopped.weights != long.weights
    shorter = run(schedule=dataclasses.replace(schedule, epochs=4))
    assert shorter.weights != stopped.weights  # its learning rate is down to 0 by then


def test_the_best_epoch_on_validation_is_kept_where_that_is_asked_for(
    run: Run, plain: Any, schedule: TrainingSchedule, monkeypatch: pytest.MonkeyPatch
):
    def third(history: list[Any], metric: str) -> int:
        assert metric == "macro_f1"
        return min(len(history), 3)

    monkeypatch.setattr("kdtasks.learn.training.loop.best_epoch", third)
    kept = run(schedule=dataclasses.replace(schedule, keeps_best="macro_f1"))
    assert len(kept.history) == 6
    assert kept.weights == run(schedule=dataclasses.replace(schedule, stop_epoch=3)).weights
    assert kept.weights != plain.weights


def test_the_best_epoch_has_the_best_score_and_of_equal_ones_the_least_loss():
    def record(epoch: int, accuracy: float, loss: float, **more: float) -> dict[str, float]:
        return {
            "epoch": epoch,
            "validation_accuracy": accuracy,
            "validation_loss": loss,
            **more,
        }

    history = [record(1, 0.8, 0.3), record(2, 0.9, 0.5), record(3, 0.9, 0.4), record(4, 0.7, 0.1)]
    assert best_epoch(history, "accuracy") == 3
    masks = [
        record(1, 0.9, 0.5, validation_mean_iou=0.2),
        record(2, 0.8, 0.6, validation_mean_iou=0.4),
    ]
    assert best_epoch(masks, "mean_iou") == 2
    assert best_epoch(masks, "accuracy") == 1


def test_a_batch_larger_than_the_data_is_all_the_data(run: Run, schedule: TrainingSchedule):
    # One step an epoch: a few epochs may well predict one class only.
    longer = dataclasses.replace(schedule, epochs=20)
    larger = run(schedule=shared(longer, batch_size=1_000))
    exact = run(schedule=shared(longer, batch_size=50))
    assert larger.weights == exact.weights
    assert larger.history == exact.history


def test_every_seed_trains_otherwise(run: Run, plain: Any, schedule: TrainingSchedule):
    other = run(schedule=dataclasses.replace(schedule, seed=4))
    assert run().weights == plain.weights
    assert other.weights != plain.weights


def test_a_loss_that_is_no_number_stops_the_run(
    run: Run, schedule: TrainingSchedule, tmp_path: Path
):
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=[])
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) in epoch 1; lower"):
        run(schedule=dataclasses.replace(schedule, learning_rate=1e30), checkpoint=checkpoint)
    assert checkpoint.load() is None


def test_a_last_step_that_breaks_the_network_stops_the_run(run: Run, schedule: TrainingSchedule):
    one_step = shared(dataclasses.replace(schedule, epochs=1, learning_rate=3e38), batch_size=50)
    with pytest.raises(TrainingError, match=r"the validation loss became (nan|inf) in epoch 1"):
        run(schedule=one_step)


def test_one_class_only_stops_the_run_also_when_it_is_started_again(
    run: Run, schedule: TrainingSchedule, examples: TrainingExamples, tmp_path: Path
):
    always_class_2 = dataclasses.replace(
        examples, labels=np.full_like(examples.labels, 2), teacher_logits=None
    )
    checkpoint = Checkpoint(tmp_path / "run.npz", settings=[])
    impatient = shared(dataclasses.replace(schedule, learning_rate=0.1), guard_epochs=4)
    for _ in range(2):
        with pytest.raises(
            TrainingError, match=r"epochs \d+ to \d+ of 6 predicted class 2 for every validation"
        ):
            run(
                schedule=impatient,
                examples=always_class_2,
                objective=LabelObjective(),
                checkpoint=checkpoint,
            )


def test_a_run_shorter_than_the_patience_does_not_end_with_one_class(
    run: Run, schedule: TrainingSchedule, examples: TrainingExamples
):
    always_class_2 = dataclasses.replace(
        examples, labels=np.full_like(examples.labels, 2), teacher_logits=None
    )
    short = shared(dataclasses.replace(schedule, epochs=3, learning_rate=0.1), guard_epochs=50)
    with pytest.raises(TrainingError, match="epochs 1 to 3 of 3 predicted class 2"):
        run(schedule=short, examples=always_class_2, objective=LabelObjective())


def test_whoever_is_shown_each_epoch_may_end_the_training(
    run: Run, plain: Any, schedule: TrainingSchedule, tmp_path: Path
):
    """What was trained until then can be gone on from: the checkpoint is written before."""
    shown: list[list[float]] = []

    def end_after_two(history: Any) -> None:
        shown.append([record["epoch"] for record in history])
        if len(history) == 2:
            raise InterruptedError

    checkpoint = Checkpoint(tmp_path / "state.npz", settings=[])
    with pytest.raises(InterruptedError):
        run(schedule=dataclasses.replace(schedule, on_epoch=end_after_two), checkpoint=checkpoint)
    assert shown == [[1], [1, 2]]
    state = checkpoint.load()
    assert state
    assert state.epoch == 2
    assert run(checkpoint=checkpoint).weights == plain.weights
