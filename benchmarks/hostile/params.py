"""Params files: values replaced, keys moved, bytes changed, cut, and hostile YAML."""

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.hostile.attack import Attack
from kdtasks.core.errors import ParamsError
from kdtasks.params import load_params
from kdtasks.params.explain import MOST_LINES

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
LONGEST_MESSAGE = 1_100 * MOST_LINES
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**32, 2**63, 2**64, 10**400, -(10**400),
    0.0, -0.0, 0.5, 1e-320, 1e308, float("nan"), float("inf"), float("-inf"),
    "", " ", "a", "null", "..", "/", "a/../..", "\x00", "\x1b[2J", "\U0001f600",
    "a" * 10_000, "os:system", "kdtasks.core.files:write_json", "${data.path}", "{{ 7 * 7 }}",
    [], {}, [None], [[]], [{}], {"name": None}, {"name": "cnn"}, {"name": "kd", "x": 1},
    [1] * 300, ["a"] * 300, {str(i): i for i in range(300)}, [0, 0], [1, 2, 3], {"": ""},
)  # fmt: skip
TEXTS = (
    lambda chance: "[" * chance.randrange(1, 20_000),
    lambda chance: "{a: " * chance.randrange(1, 5_000) + "1" + "}" * chance.randrange(5_000),
    lambda chance: "\n".join(f"key{i}: {i}" for i in range(chance.randrange(1, 50_000))),
    lambda chance: _bomb(chance.randrange(2, 12), chance.randrange(2, 12), "[{}]"),
    lambda chance: _bomb(chance.randrange(2, 12), chance.randrange(2, 12), "{{<<: [{}]}}"),
    lambda chance: "a: &a [*a]\n<<: *a\n",
    lambda chance: "seeds: [" + "9" * chance.randrange(1, 9_000) + "]",
    lambda chance: "recipe: !!python/object/apply:os.system [id]",
    lambda chance: "recipe: !!binary " + "A" * chance.randrange(1, 999),
    lambda chance: "recipe: 2001-13-45\nseeds: !!set {1, 2}\n? [a]\n: 1\n",
    lambda chance: "a" * chance.randrange(1, 2_000_000),
    lambda chance: "%YAML 9.9\n---\na: 1\n---\nb: 2\n",
)


def _bomb(levels: int, width: int, form: str) -> str:
    """Aliases of aliases: a few lines that stand for `width` to the power of `levels` values."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} " + form.format(", ".join([f"*a{level - 1}"] * width)))
    return "\n".join(lines)


class ParamsFiles(Attack):
    """Read as every command does; what is refused is refused in one bounded sentence."""

    name, trials = "params", 5000

    def prepare(self, seeds: Path) -> None:
        """Nothing: the recipes are the whole files."""

    def attempt(self, trial: int, seeds: Path, place: Path) -> None:
        path = place / "params.yaml"
        path.write_bytes(_mutant(trial) if trial >= 0 else RECIPES[0].read_bytes())
        try:
            load_params(path)
        except ParamsError as error:
            message = str(error)
            assert len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters"
            assert "\n" not in message, repr(message)
            raise


@cache
def _full() -> Any:
    return load_params(RECIPES[0]).model_dump(mode="json")


def _mutant(trial: int) -> bytes:
    chance = random.Random(trial)
    match chance.randrange(5):
        case 0:
            return _replaced(_full(), chance)
        case 1:
            return _deleted(_full(), chance)
        case 2:
            return _flipped(chance.choice(RECIPES).read_bytes(), chance)
        case 3:
            return _cut(chance.choice(RECIPES).read_bytes(), chance)
        case _:
            return chance.choice(TEXTS)(chance).encode()


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def _replaced(full: Any, chance: random.Random) -> bytes:
    content = copy.deepcopy(full)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        holder, key = chance.choice(list(_places(content)))
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    return _text(content)


def _deleted(full: Any, chance: random.Random) -> bytes:
    content = copy.deepcopy(full)
    holder, key = chance.choice(list(_places(content)))
    value = holder.pop(key)
    holder, key = chance.choice(list(_places(content)))
    if isinstance(holder, dict) and chance.random() < 0.7:
        holder[f"{key}{chance.choice(('', '_', 's', chr(0x301)))}"] = value
    return _text(content)


def _text(content: Any) -> bytes:
    text = json.dumps(content)  # YAML, too, but for these three
    for found, written in (("NaN", ".nan"), ("-Infinity", "-.inf"), ("Infinity", ".inf")):
        text = text.replace(found, written)
    return text.encode()


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 10))):
        changed[chance.randrange(len(changed))] = chance.choice(
            (0, 9, 10, 32, 38, 42, 45, 58, 91, 123, 0x80, 0xFF, chance.randrange(256))
        )
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
    return chance.choice((data[:end], data[start:], data[:start] + data[end:]))
