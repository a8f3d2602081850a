"""Every loss by its name, and what must hold for all of them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.core.backend import tf
from kdtasks.learn.losses.distillation import distillation_losses
from kdtasks.learn.losses.distillation.channelwise_kd import ChannelwiseKD
from kdtasks.learn.losses.distillation.dist import DIST
from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.losses.distillation.kd import KD

LOSSES = {
    "kd": KD(),
    "standardized kd": KD(standardize=True),
    "dkd": DKD(),
    "standardized dkd": DKD(standardize=True),
    "dist": DIST(),
    "channelwise_kd": ChannelwiseKD(),
}
NAMES = list(LOSSES)
UNSCALED = [name for name in NAMES if not name.startswith("standardized")]
SHAPE = (2, 2, 3, 4)
LABELS = np.random.default_rng(0).integers(0, 4, SHAPE[:-1])

logits_of_images = arrays(np.float32, SHAPE, elements=st.floats(-30, 30, width=32))
temperatures = st.floats(0.5, 20.0)


def test_every_loss_of_the_folder_is_tested():
    assert set(distillation_losses.names()) == {loss.name for loss in LOSSES.values()}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(logits=logits_of_images, temperature=temperatures)
def test_nothing_is_to_be_learnt_from_equal_logits(
    name: str, logits: np.ndarray, temperature: float
):
    value = float(LOSSES[name](logits, logits, temperature, LABELS))
    assert value == pytest.approx(0.0, abs=2e-6 * temperature**2)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(student=logits_of_images, teacher=logits_of_images, temperature=temperatures)
def test_it_is_never_negative(
    name: str, student: np.ndarray, teacher: np.ndarray, temperature: float
):
    value = float(LOSSES[name](student, teacher, temperature, LABELS))
    # T² magnifies the rounding of a divergence of nearly 0; of the others' there are eight.
    assert value >= -1e-5 * temperature**2


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), shifts=st.tuples(st.floats(-50, 50), st.floats(-50, 50)))
def test_shifts_are_not_seen(name: str, seed: int, shifts: tuple[float, float]):
    student, teacher = np.random.default_rng(seed).normal(size=(2, *SHAPE)).astype(np.float32) * 4
    loss = LOSSES[name]
    shifted = loss(student + np.float32(shifts[0]), teacher + np.float32(shifts[1]), 4.0, LABELS)
    # Sums of logits and shifts are rounded to 2⁻¹⁷.
    plain = float(loss(student, teacher, 4.0, LABELS))
    assert float(shifted) == pytest.approx(plain, rel=2e-3, abs=2e-2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [(1, 0, 2, 3), (3, 1, 0, 2)])
def test_the_order_of_classes_does_not_matter(name: str, order: tuple[int, ...]):
    student, teacher = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32) * 4
    new_labels = np.argsort(order)[LABELS]
    plain = float(LOSSES[name](student, teacher, 3.0, LABELS))
    permuted = LOSSES[name](student[..., order], teacher[..., order], 3.0, new_labels)
    assert float(permuted) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_images_does_not_matter(name: str):
    student, teacher = np.random.default_rng(2).normal(size=(2, *SHAPE)).astype(np.float32) * 4
    plain = float(LOSSES[name](student, teacher, 3.0, LABELS))
    reversed_ = LOSSES[name](student[::-1], teacher[::-1], 3.0, LABELS[::-1])
    assert float(reversed_) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("name", UNSCALED)
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_logits_and_temperature_times_c_give_c_squared_times_the_loss(name: str, factor: float):
    # So it is for any function of softmax(logits / T) times T²: without T², or with a second
    # softmax inside, it is not.
    student, teacher = np.random.default_rng(3).normal(size=(2, *SHAPE)).astype(np.float32) * 4
    plain = float(LOSSES[name](student, teacher, 2.0, LABELS))
    scaled = LOSSES[name](factor * student, factor * teacher, factor * 2.0, LABELS)
    assert plain > 0.01
    assert float(scaled) == pytest.approx(factor**2 * plain, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dist"])
def test_divergences_at_high_temperatures_do_not_depend_on_it(name: str):
    # T²·KL tends to half the variance of the logits' differences: for T = 50 and 100 nearly the
    # same, where without T² one would be a quarter of the other.
    student, teacher = np.random.default_rng(4).normal(size=(2, *SHAPE)).astype(np.float32)
    values = [float(LOSSES[name](student, teacher, T, LABELS)) for T in (50.0, 100.0)]
    assert values[0] == pytest.approx(values[1], rel=0.05)


# Logits of student and teacher.
HUGE = {
    "opposite": ([1e4, -1e4, 0, 5], [-1e4, 1e4, 3, 0]),
    "far from a flat teacher": ([1e4, -1e4, 1e4, -1e4], [1, 1, 1, 1]),
    "flat under a sure teacher": ([0, 0, 0, 0], [1e4, -1e4, -1e4, -1e4]),
    "the same": ([1e4, -1e4, -1e4, 0], [1e4, -1e4, -1e4, 0]),
    "all at one end": ([1e4, 1e4, 1e4, 1e4], [-1e4, -1e4, -1e4, -1e4]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_huge_logits_have_finite_losses_and_gradients(name: str, temperature: float):
    pairs = [np.array(pair, np.float32) for pair in HUGE.values()]
    cases = [[np.broadcast_to(logits, SHAPE) for logits in pair] for pair in pairs]
    mixed = np.stack([*pairs, np.zeros((2, 4), np.float32)], axis=1)
    cases.append([np.concatenate([logits, logits]).reshape(SHAPE) for logits in mixed])
    for student, teacher in cases:
        variable = tf.Variable(student)
        with tf.GradientTape() as tape:
            loss = LOSSES[name](variable, teacher, temperature, LABELS)
        assert np.isfinite(float(loss))
        assert np.isfinite(tape.gradient(loss, variable).numpy()).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_along_the_gradient_brings_the_student_nearer(name: str):
    student, teacher = np.random.default_rng(5).normal(size=(2, *SHAPE)).astype(np.float32)
    variable = tf.Variable(student)
    with tf.GradientTape() as tape:
        loss = LOSSES[name](variable, teacher, 2.0, LABELS)
    gradient = tape.gradient(loss, variable).numpy()
    step = 0.1 / np.linalg.norm(gradient)
    assert float(LOSSES[name](student - step * gradient, teacher, 2.0, LABELS)) < float(loss)


def test_a_project_adds_a_loss(extended: Callable[[str, str], str]):
    extension = '''
        """The distance of the logits themselves."""

        from typing import Literal

        from pydantic import Field

        from kdtasks.learn.losses.distillation import DistillationLoss, distillation_losses


        @distillation_losses.register
        class LogitDistance(DistillationLoss):
            """Mean squared difference of the logits, times `scale`."""

            name: Literal["logit_distance"] = "logit_distance"
            scale: float = Field(default=1.0, description="factor")

            def __call__(self, student, teacher, temperature, labels):
                return self.scale * ((student - teacher) ** 2).mean()
    '''
    script = """
        import numpy as np
        from kdtasks.learn.objectives.distillation import DistillParams
        from kdtasks.params.docs import render_reference

        loss = DistillParams.model_validate({"loss": {"name": "logit_distance", "scale": 2.0}}).loss
        print(loss(np.array([[1.0, 2.0]]), np.array([[1.0, 5.0]]), 1.0, None))
        print("### `logit_distance`" in render_reference())
    """
    assert extended(extension, script).split() == ["9.0", "True"]
