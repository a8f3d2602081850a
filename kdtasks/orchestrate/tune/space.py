"""What is tuned: keys of params.yaml and the values that trials draw from."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from kdtasks.core.errors import TuneError, did_you_mean
from kdtasks.learn.arms import Arm, rate_and_epochs
from kdtasks.learn.losses.distillation import distillation_losses
from kdtasks.orchestrate.sweep.grid import Settings
from kdtasks.params import Params
from kdtasks.params.load import parse_params
from kdtasks.tasks.registry import task_of

# The student alone and the distilled one: what each is taught with, and the keys that are its own.
ARMS: Mapping[str, Arm] = {"alone": "labels", "distilled": "soft"}
KEYS = {
    "alone": ("student.learning_rate", "student.epochs"),
    "distilled": (
        "distill.learning_rate",
        "distill.epochs",
        "distill.alpha",
        "distill.temperature",
        "distill.loss",
    ),
}
SYNTAX = "expected KEY=LOW..HIGH or KEY=VALUE,VALUE,…, as in distill.alpha=0..0.5"

Space = dict[str, BaseDistribution]  # by key


def spaces(params: Params, changes: Sequence[str]) -> dict[str, Space]:
    """The space of either student.

    Learning rates from a tenth to ten times what they are, epochs from half to twice; of the
    distilled student also alpha from 0 to 0.9, the temperature from 1 to 10, and every loss that
    fits the task. A schedule of alpha or of the temperature stays as it is.

    Args:
        changes: `KEY=LOW..HIGH` or `KEY=V1,V2` go before the default of their key.

    Raises:
        TuneError: one is no space of a key that is tuned.
        ParamsError: the key does not take such a value.
    """
    given = dict(_parse(change) for change in changes)
    if len(given) < len(changes):
        raise TuneError(f"a key is given twice: got {' '.join(changes)}; give it once")
    for key, space in given.items():
        for value in _ends(space):
            with_values(params, {key: value})
    distributions = {}
    for name, keys in KEYS.items():
        default = _default(name, params)
        distributions[name] = {
            key: given.get(key) or default[key] for key in keys if key in given or key in default
        }
    return distributions


def present(params: Params, space: Space) -> Settings:
    """The values that params have already of what is tuned, where the space has them."""
    (arm,) = (ARMS[name] for name, keys in KEYS.items() if not space.keys() - {*keys})
    rate, epochs = rate_and_epochs(arm, params.student, params.distill)
    distill = params.distill
    values = {
        **dict.fromkeys(("student.learning_rate", "distill.learning_rate"), rate),
        **dict.fromkeys(("student.epochs", "distill.epochs"), epochs),
        "distill.alpha": distill.alpha,
        "distill.temperature": distill.temperature,
        "distill.loss": distill.loss.name,
    }
    return {key: values[key] for key in space if _is_within(values[key], space[key])}


def with_values(params: Params, values: Mapping[str, Any]) -> Params:
    """Params with some keys set: as they are given, a loss by its name with its own defaults.

    Floats are rounded to three digits, as they are written to params.yaml. A loss that params have
    already keeps its settings.

    Raises:
        ParamsError: a value is not allowed.
    """
    content = params.model_dump(mode="json")
    for key, value in values.items():
        section, name = key.split(".")
        if isinstance(value, float):
            value = float(f"{value:.3g}")
        if key == "distill.loss":
            value = content[section][name] if params.distill.loss.name == value else {"name": value}
        content[section][name] = value
    return parse_params(content, source="kdtasks tune")


def settings_of(params: Params, keys: Iterable[str]) -> Settings:
    """The values of some keys, as they stand in params.yaml."""
    content = params.model_dump(mode="json")
    return {key: reduce(getitem, key.split("."), content) for key in keys}


def _default(name: str, params: Params) -> Space:
    rate, epochs = rate_and_epochs(ARMS[name], params.student, params.distill)
    rates = FloatDistribution(rate / 10, rate * 10, log=True)
    lengths = IntDistribution(max(1, epochs // 2), 2 * epochs)
    if name == "alone":
        return dict(zip(KEYS[name], (rates, lengths), strict=True))
    per_pixel = task_of(params.data.task).per_pixel
    registered = {name: distillation_losses[name] for name in distillation_losses.names()}
    losses = [name for name, loss in registered.items() if per_pixel or not loss.per_pixel]
    ranges = (FloatDistribution(0.0, 0.9), FloatDistribution(1.0, 10.0, log=True))
    space = dict(
        zip(KEYS[name], (rates, lengths, *ranges, CategoricalDistribution(losses)), strict=True)
    )
    for key in ("alpha", "temperature"):
        if not isinstance(getattr(params.distill, key), float):
            del space[f"distill.{key}"]
    return space


def _parse(text: str) -> tuple[str, BaseDistribution]:
    key, _, values = (part.strip() for part in text.partition("="))
    known = [known for keys in KEYS.values() for known in keys]
    if not values:
        raise TuneError(f"-S {text}: {SYNTAX}")
    if key not in known:
        raise TuneError(
            f"-S {text}: {key} is not tuned; expected one of {', '.join(known)}"
            f"{did_you_mean(key, known)}"
        )
    if key == "distill.loss":
        return key, CategoricalDistribution([value.strip() for value in values.split(",")])
    number = int if key.endswith(".epochs") else float
    try:
        if ".." not in values:
            return key, CategoricalDistribution([number(value) for value in values.split(",")])
        low, high = map(number, values.split(".."))
    except ValueError:
        raise TuneError(f"-S {text}: {values} are no {number.__name__} numbers; {SYNTAX}") from None
    if not low < high:
        raise TuneError(f"-S {text}: got {low} to {high}; expected the lower one first")
    is_log = 0 < 10 * low <= high  # a tenth more then means the same everywhere
    if isinstance(low, int) and isinstance(high, int):
        return key, IntDistribution(low, high, log=is_log)
    return key, FloatDistribution(low, high, log=is_log)


def _ends(space: BaseDistribution) -> Sequence[Any]:
    if isinstance(space, CategoricalDistribution):
        return space.choices
    assert isinstance(space, FloatDistribution | IntDistribution)
    return space.low, space.high


def _is_within(value: Any, space: BaseDistribution) -> bool:
    if isinstance(space, CategoricalDistribution):
        return value in space.choices
    low, high = _ends(space)
    return isinstance(value, int | float) and bool(low <= value <= high)
