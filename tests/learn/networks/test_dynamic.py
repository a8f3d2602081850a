"""Stopping early gives what running everything and choosing afterwards gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.core.backend import keras
from kdtasks.core.errors import ModelError
from kdtasks.edge import scores as on_the_device
from kdtasks.edge.scores import ALWAYS, NEVER, apply_policy
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.dynamic import SCORES, DynamicNetwork
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.unet import UNet

TEMPERATURES = (0.5, 1.0, 2.0)


@pytest.fixture(scope="module")
def chain(randomise: Callable[..., None]) -> MultiExitModel:
    """Three exits one after the other."""
    model = build(
        CNN(filters=(4, 5, 6), top="flatten"),
        input_shape=(8, 8, 1),
        num_classes=5,
        exits=("block_1", "block_2"),
    )
    randomise(model, seed=1)
    return model


@pytest.fixture(scope="module")
def skipping(randomise: Callable[..., None]) -> MultiExitModel:
    """The last segment takes the image and the first features once more."""
    image = keras.Input((8, 8, 1), name="image")
    scaled = keras.layers.Rescaling(1 / 255, name="rescale")(image)
    first = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="first")(scaled)
    second = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="second")(first)
    last = keras.layers.Concatenate(name="last")([second, first, image])

    def head(tensor: object, name: str) -> Any:
        flat = keras.layers.Flatten(name=f"{name}_flatten")(tensor)
        return keras.layers.Dense(5, name=f"{name}_logits")(flat)

    outputs = [head(first, "a"), head(second, "b"), head(last, "c")]
    model = MultiExitModel(
        network=keras.Model(image, outputs), taps=(("first",), ("second", "first"))
    )
    randomise(model, seed=2)
    return model


@pytest.fixture(scope="module")
def dynamic(chain: MultiExitModel, skipping: MultiExitModel) -> dict[str, DynamicNetwork]:
    return {
        f"{name} {score}": DynamicNetwork(
            model, thresholds=NEVER, temperatures=TEMPERATURES, score=score
        )
        for name, model in (("chain", chain), ("skipping", skipping))
        for score in (SCORES if name == "chain" else ["max_probability"])
    }


def draw_images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), np.uint8)


def every_logit(model: MultiExitModel, images: np.ndarray) -> np.ndarray:
    outputs = model.logits(images.astype(np.float32))
    return np.stack([logits.numpy() for logits in outputs], axis=1)


@settings(max_examples=40)  # each runs three networks
@given(
    name=st.sampled_from([*(f"chain {score}" for score in SCORES), "skipping max_probability"]),
    count=st.integers(1, 40),
    seed=st.integers(0, 20),
    ranks=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_stopping_early_is_choosing_afterwards(
    chain: MultiExitModel,
    skipping: MultiExitModel,
    dynamic: dict[str, DynamicNetwork],
    name: str,
    count: int,
    seed: int,
    ranks: tuple[float, float],
):
    images = draw_images(count, seed)
    logits = every_logit(chain if name.startswith("chain") else skipping, images)
    score = on_the_device.SCORES[name.partition(" ")[2]]
    scores = score(logits, np.array(TEMPERATURES))
    # In the widest gap of scores near a rank: the last bits of a sum follow the batch's size.
    thresholds = [_gap(scores[:, k], rank) for k, rank in enumerate(ranks)]
    network = dynamic[name]
    early = network.predict_dynamic(images, thresholds)
    after = network.predict_all(images, thresholds)
    clear = (np.abs(scores[:, :2] - thresholds) > 1e-4).all(axis=1)
    assert clear.mean() > 0.5  # or nothing would be compared
    expected = apply_policy(scores, thresholds)[clear]
    answered = logits[clear, expected]
    scale = max(1.0, float(np.abs(logits).max()))
    for answers in (early, after):
        np.testing.assert_array_equal(answers.exit_index.numpy()[clear], expected)
        np.testing.assert_allclose(answers.logits.numpy()[clear], answered, atol=1e-5 * scale)


def _gap(scores: np.ndarray, rank: float) -> float:
    values = np.concatenate([[scores.min() - 1], np.sort(scores), [scores.max() + 1]])
    near = int(rank * (len(values) - 2))
    gaps = np.diff(values[max(0, near - 1) : near + 3])
    place = max(0, near - 1) + int(gaps.argmax())
    return float(values[place] + values[place + 1]) / 2


@pytest.mark.parametrize("score", SCORES)
def test_scores_are_those_of_the_device(score: str):
    logits = np.random.default_rng(0).normal(0, 4, (50, 7)).astype(np.float32)
    found = SCORES[score](keras.backend.constant(logits), 1.7).numpy()
    expected = on_the_device.SCORES[score](logits, 1.7)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert set(SCORES) == set(on_the_device.SCORES)


def test_thresholds_for_each_exit_for_the_model_and_for_a_call(chain: MultiExitModel):
    images = draw_images(6)

    def left_at(network: DynamicNetwork, *call: Any) -> list[int]:
        return sorted(set(network.predict_dynamic(images, *call).exit_index.numpy().tolist()))

    assert left_at(DynamicNetwork(chain, thresholds=[NEVER, ALWAYS])) == [1]
    assert left_at(DynamicNetwork(chain, thresholds=ALWAYS)) == [0]
    never = DynamicNetwork(chain, thresholds=NEVER)
    assert left_at(never) == [2]
    assert left_at(never, 0.0) == [0]
    assert left_at(never, [2.0, 0.0]) == [1]
    assert left_at(never) == [2]  # a call leaves no trace
    assert never._stop_early.experimental_get_tracing_count() == 1


def test_later_segments_see_only_those_who_go_on(chain: MultiExitModel):
    network = DynamicNetwork(chain, thresholds=NEVER)
    images = draw_images(30)
    scores = on_the_device.max_probability(every_logit(chain, images))
    seen: list[int] = []
    original = network._score

    def count_rows(logits: Any, temperature: float) -> Any:
        seen.append(int(logits.shape[0]))
        return original(logits, temperature)

    network._score = count_rows
    thresholds = [float(np.median(scores[:, 0])), NEVER]
    # Outside a compiled function shapes are numbers, and tf.cond runs one branch.
    network._run_while_unsure(*network._inputs(images, thresholds))
    assert seen == [30, int((scores[:, 0] < thresholds[0]).sum())]
    seen.clear()
    network._run_while_unsure(*network._inputs(images, ALWAYS))
    assert seen == [30]


def test_one_exit_answers_everything():
    model = build(CNN(filters=(4,)), input_shape=(8, 8, 1), num_classes=3)
    network = DynamicNetwork(model, thresholds=[])
    images = draw_images(4)
    for answers in (network.predict_dynamic(images), network.predict_all(images)):
        expected = every_logit(model, images)[:, 0]
        # the last bits of a sum follow the processor: of the sum's terms, not of what is left
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(answers.logits, expected, rtol=1e-5, atol=atol)
        assert answers.exit_index.numpy().tolist() == [0] * 4


def test_what_does_not_fit_is_refused(chain: MultiExitModel):
    for thresholds in ([0.5], [0.5, 0.5, 0.5], float("nan")):
        with pytest.raises(ModelError, match="one number, or 2, one for each exit but the last"):
            DynamicNetwork(chain, thresholds=thresholds)
    with pytest.raises(ModelError, match="got 1 temperatures for 3 exits"):
        DynamicNetwork(chain, thresholds=0.5, temperatures=[1.0])
    with pytest.raises(ModelError, match="no score 'luck'; the scores are max_probability"):
        DynamicNetwork(chain, thresholds=0.5, score="luck")
    unet = build(UNet(filters=(3, 4)), input_shape=(8, 8, 1), num_classes=2)
    with pytest.raises(ModelError, match="early stopping answers whole images"):
        DynamicNetwork(unet, thresholds=[])
