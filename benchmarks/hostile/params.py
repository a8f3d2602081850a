"""Break `params.yaml` in thousands of ways: each must be read, or refused in one bounded sentence.

python -m benchmarks.hostile.params --count 5000
"""

import argparse
import collections
import copy
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kdtasks.core.errors import ParamsError
from kdtasks.params import load_params
from kdtasks.params.explain import MOST_LINES

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
LONGEST_MESSAGE = 1_100 * MOST_LINES
LONGEST_SECONDS = 10.0
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


def mutants(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Give kinds and contents of broken params files, the same ones for the same seed."""
    chance = random.Random(seed)
    full = load_params(RECIPES[0]).model_dump(mode="json")
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: _replaced(full, chance),
        lambda: _deleted(full, chance),
        lambda: _flipped(chance.choice(RECIPES).read_bytes(), chance),
        lambda: _cut(chance.choice(RECIPES).read_bytes(), chance),
        lambda: chance.choice(TEXTS)(chance).encode(),
    )
    names = ("value replaced", "key moved", "byte changed", "cut", "hostile text")
    for _ in range(count):
        name, make = chance.choice(tuple(zip(names, kinds, strict=True)))
        yield name, make()


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


def outcome(path: Path) -> str:
    """Read a params file; `accepted` or `refused`.

    Raises:
        AssertionError: it took too long, or its message is none for people.
        Exception: any that is not the package's own.
    """
    start = time.process_time()
    try:
        load_params(path)
        said = "accepted"
    except ParamsError as error:
        said = "refused"
        message = str(error)
        assert len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters"
        assert "\n" not in message, repr(message)
    assert time.process_time() - start < LONGEST_SECONDS, "it took more than ten seconds"
    return said


def main() -> None:
    """Attack, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        for name, content in mutants(options.count, options.seed):
            path.write_bytes(content)
            try:
                counts[name, outcome(path)] += 1
            except Exception as error:  # that is what is looked for
                counts[name, "FAULT"] += 1
                print(f"{name}: {type(error).__name__}: {str(error)[:300]}\n  {content[:200]!r}")
    for (name, said), number in sorted(counts.items()):
        print(f"{name:16} {said:9} {number:,}")


if __name__ == "__main__":
    main()
