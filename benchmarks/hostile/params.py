"""Params files: values replaced, keys moved, bytes changed, cut, and hostile YAML."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import DAMAGES, PLACES, value_at
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
ANY = st.one_of(st.sampled_from(VALUES), st.integers(), st.floats(), st.text())
CHANGES = st.lists(st.tuples(PLACES, ANY), min_size=1, max_size=5)
ENDINGS = (None, "", "_", "s", "\u0301")


def _bomb(levels: int, width: int, form: str) -> str:
    """Aliases of aliases: a few lines that stand for `width` to the power of `levels` values."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} " + form.format(", ".join([f"*a{level - 1}"] * width)))
    return "\n".join(lines)


_FEW = st.integers(2, 11)
TEXTS = st.one_of(
    st.integers(1, 20_000).map(lambda depth: "[" * depth),
    st.integers(1, 5_000).map(lambda depth: "{a: " * depth + "1" + "}" * (depth // 2)),
    st.integers(1, 50_000).map(lambda keys: "\n".join(f"key{i}: {i}" for i in range(keys))),
    st.builds(_bomb, _FEW, _FEW, st.sampled_from(["[{}]", "{{<<: [{}]}}"])),
    st.integers(1, 9_000).map(lambda digits: f"seeds: [{'9' * digits}]"),
    st.integers(1, 2_000_000).map(lambda length: "a" * length),
    st.sampled_from(
        [
            "a: &a [*a]\n<<: *a\n",
            "recipe: !!python/object/apply:os.system [id]",
            "recipe: !!binary AAAA",
            "recipe: 2001-13-45\nseeds: !!set {1, 2}\n? [a]\n: 1\n",
            "%YAML 9.9\n---\na: 1\n---\nb: 2\n",
        ]
    ),
    st.text(),
).map(str.encode)


class ParamsFiles(Attack):
    """Read as every command does; what is refused is refused in one bounded sentence."""

    name, trials = "params", 5000

    def prepare(self, seeds: Path) -> None:
        """Nothing: the recipes are the whole files."""

    def drawn(self, seeds: Path) -> st.SearchStrategy[bytes]:
        """Give files: of all params with some changed or moved, damaged recipes, hostile texts."""
        full = load_params(RECIPES[0]).model_dump(mode="json")
        recipes = [path.read_bytes() for path in RECIPES]
        return st.one_of(
            st.builds(_replaced, st.just(full), CHANGES),
            st.builds(_moved, st.just(full), PLACES, PLACES, st.sampled_from(ENDINGS)),
            st.builds(lambda text, damage: damage(text), st.sampled_from(recipes), DAMAGES),
            TEXTS,
        )

    def attempt(self, case: bytes | None, seeds: Path, place: Path) -> None:
        path = place / "params.yaml"
        path.write_bytes(RECIPES[0].read_bytes() if case is None else case)
        try:
            load_params(path)
        except ParamsError as error:
            message = str(error)
            assert len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters"
            assert "\n" not in message, repr(message)
            raise


def _replaced(full: Any, changes: list[tuple[float, Any]]) -> bytes:
    content = copy.deepcopy(full)
    for place, value in changes:
        holder, key = value_at(place, content)
        holder[key] = copy.deepcopy(value)
    return _text(content)


def _moved(full: Any, place: float, to: float, ending: str | None) -> bytes:
    """Put a value elsewhere, under a key that there is, with another ending; None leaves it out."""
    content = copy.deepcopy(full)
    holder, key = value_at(place, content)
    value = holder.pop(key)
    holder, key = value_at(to, content)
    if isinstance(holder, dict) and ending is not None:
        holder[f"{key}{ending}"] = value
    return _text(content)


def _text(content: Any) -> bytes:
    text = json.dumps(content)  # YAML, too, but for these three
    for found, written in (("NaN", ".nan"), ("-Infinity", "-.inf"), ("Infinity", ".inf")):
        text = text.replace(found, written)
    return text.encode()
