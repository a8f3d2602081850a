"""What is tuned, and what is refused."""

from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from kdtasks.core.errors import ParamsError, TuneError
from kdtasks.orchestrate.tune.space import KEYS, present, settings_of, spaces, with_values
from kdtasks.params import Params
from kdtasks.params.load import parse_params
from tests.tools.aerial_photos import mask_params
from tests.tools.tuning import tiny_params


def changed(**distill: object) -> Params:
    content = tiny_params().model_dump(mode="json")
    content["distill"] |= distill
    return parse_params(content)


def test_both_students_have_ranges_around_what_params_say():
    found = spaces(tiny_params(), ())
    assert found == {
        "alone": {
            "student.learning_rate": FloatDistribution(0.001, 0.1, log=True),
            "student.epochs": IntDistribution(2, 8),
        },
        "distilled": {
            "distill.learning_rate": FloatDistribution(0.001, 0.1, log=True),
            "distill.epochs": IntDistribution(2, 8),
            "distill.alpha": FloatDistribution(0.0, 0.9),
            "distill.temperature": FloatDistribution(1.0, 10.0, log=True),
            "distill.loss": CategoricalDistribution(("dist", "dkd", "kd")),
        },
    }


def test_a_range_on_the_command_line_goes_before_the_default_of_its_key():
    changes = ("distill.alpha=0.5", "student.epochs=3..30", "distill.loss=kd,dkd")
    found = spaces(tiny_params(), changes)
    assert found["alone"]["student.epochs"] == IntDistribution(3, 30, log=True)
    assert found["distilled"]["distill.alpha"] == CategoricalDistribution((0.5,))
    assert found["distilled"]["distill.loss"] == CategoricalDistribution(("kd", "dkd"))
    assert {name: set(space) for name, space in found.items()} == {
        name: set(keys) for name, keys in KEYS.items()
    }


def test_masks_have_losses_of_their_own():
    params = parse_params(mask_params(tiny_params().model_dump(mode="json"), Path("photos")))
    loss = spaces(params, ())["distilled"]["distill.loss"]
    assert isinstance(loss, CategoricalDistribution)
    assert "channelwise_kd" in loss.choices


def test_a_schedule_stays_as_it_is_unless_a_range_is_given():
    params = changed(alpha={"name": "linear", "start": 0.9, "end": 0.1})
    assert "distill.alpha" not in spaces(params, ())["distilled"]
    given = spaces(params, ("distill.alpha=0..0.5",))["distilled"]
    assert given["distill.alpha"] == FloatDistribution(0.0, 0.5)
    assert "distill.alpha" not in present(params, given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("distill.alpha", "expected KEY=LOW..HIGH or KEY=VALUE"),
        ("distil.alpha=0..1", "is not tuned; expected one of .*did you mean 'distill.alpha'"),
        ("student.model.filters=4,8", "is not tuned"),
        ("train.batch_size=32,64", "is not tuned"),
        ("distill.alpha=0.5..0.1", r"got 0\.5 to 0\.1; expected the lower one first"),
        ("distill.alpha=low..high", "low..high are no float numbers"),
        ("student.epochs=1.5..3", "are no int numbers"),
    ],
)
def test_what_is_no_space_is_refused(change: str, message: str):
    with pytest.raises(TuneError, match=message):
        spaces(tiny_params(), (change,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("distill.alpha=0..2", "distill.alpha: got 2.0; allowed: 0 to 1"),
        ("distill.epochs=0..2", "distill.epochs: got 0; allowed: 1 or more"),
        ("distill.loss=kd,kdd", "distill.loss.*kdd"),
        ("distill.loss=channelwise_kd", "use it for segmentation"),
    ],
)
def test_both_ends_of_a_space_must_be_allowed(change: str, message: str):
    with pytest.raises(ParamsError, match=message):
        spaces(tiny_params(), (change,))


def test_a_key_may_be_given_once():
    with pytest.raises(TuneError, match="a key is given twice"):
        spaces(tiny_params(), ("distill.alpha=0..1", "distill.alpha=0.5"))


def test_what_is_there_is_what_either_student_is_trained_with():
    params = changed(learning_rate=0.02, epochs=6)
    found = spaces(params, ())
    assert present(params, found["alone"]) == {"student.learning_rate": 0.01, "student.epochs": 6}
    assert present(params, found["distilled"]) == {
        "distill.learning_rate": 0.02,
        "distill.epochs": 6,
        "distill.alpha": 0.1,
        "distill.temperature": params.distill.temperature,
        "distill.loss": "kd",
    }


def test_values_are_rounded_and_a_loss_that_is_there_keeps_its_settings():
    params = changed(loss={"name": "kd", "standardize": True})
    found = with_values(params, {"distill.alpha": 0.123456, "distill.loss": "kd"})
    assert found.distill.alpha == 0.123
    assert settings_of(found, ["distill.loss"]) == settings_of(params, ["distill.loss"])
    assert with_values(params, {"distill.loss": "dist"}).distill.loss.name == "dist"
