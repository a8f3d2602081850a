"""Bundles: cut, flipped, with other values, and with other things in the place of files."""

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import BYTES, ODD, VALUES, damaged, flipped, make_odd, places
from kdtasks.edge.bundle_files import MANIFEST, MODEL, SELF_TEST, open_bundle
from kdtasks.edge.registry import load_predictor

_FILES = (MANIFEST, MODEL, SELF_TEST)
_FORMS = ("it.kdz", MODEL)  # in one file
_SHAPE = (8, 8, 3)
Damage = Callable[[Path, Path, np.random.Generator], Path]


class Bundles(Attack):
    """A classifier of two exits, in all three forms, opened and run as `kdtasks predict` does."""

    name, trials = "bundles", 3000

    def prepare(self, seeds: Path) -> None:
        from benchmarks.hostile.made import write_bundles

        write_bundles(seeds, _SHAPE)

    def attempt(self, trial: int, seeds: Path, place: Path) -> None:
        draw = np.random.default_rng([1, trial + 1])
        if trial < 0:
            path = seeds / "bundle"
        elif trial < len(damages := _damages(seeds)):
            path = damages[trial](seeds, place, draw)
        else:
            path = _at_random(seeds, place, draw)
        open_bundle(path)
        model = load_predictor(path)
        model.predict(np.zeros(_SHAPE, np.uint8)).to_json()
        if model.manifest.self_test is not None:
            model.self_test()


@cache
def _damages(seeds: Path) -> list[Damage]:
    """Cuts at every hundredth, other things than files, and other values in every field."""
    found: list[Damage] = []
    for name in (*_FILES, *_FORMS[:1]):
        found += [_cut(name, part / 100) for part in range(100)]
        found += [_flip(name, kind) for kind in BYTES for _ in range(20)]
        found += [_odd(name, kind) for kind in ODD]
    for path in places(json.loads(_read(seeds, MANIFEST))):
        found += [_replace(path, value) for value in VALUES]
    return found


def _write(seeds: Path, place: Path, name: str, content: bytes) -> Path:
    """Write the bundle with one file of other content, in the form that the file is of."""
    if name in _FORMS[:1]:
        (place / name).write_bytes(content)
        return place / name
    shutil.copytree(seeds / "bundle", place / "bundle")
    (place / "bundle" / name).write_bytes(content)
    return place / "bundle"


def _read(seeds: Path, name: str) -> bytes:
    return (seeds / name if name in _FORMS[:1] else seeds / "bundle" / name).read_bytes()


def _cut(name: str, part: float) -> Damage:
    def damage(seeds: Path, place: Path, draw: np.random.Generator) -> Path:
        content = _read(seeds, name)
        return _write(seeds, place, name, content[: int(part * len(content))])

    return damage


def _flip(name: str, kind: str) -> Damage:
    def damage(seeds: Path, place: Path, draw: np.random.Generator) -> Path:
        return _write(seeds, place, name, flipped(_read(seeds, name), kind, draw))

    return damage


def _odd(name: str, kind: str) -> Damage:
    def damage(seeds: Path, place: Path, draw: np.random.Generator) -> Path:
        path = _write(seeds, place, name, b"")
        odd = path / name if path.is_dir() else path
        odd.unlink()
        make_odd(odd, kind)
        return path

    return damage


def _replace(path: tuple[str | int, ...], value: str) -> Damage:
    def damage(seeds: Path, place: Path, draw: np.random.Generator) -> Path:
        content = json.loads(_read(seeds, MANIFEST))
        part = content
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = "@"
        text = json.dumps(content).replace('"@"', value)
        return _write(seeds, place, MANIFEST, text.encode())

    return damage


def _at_random(seeds: Path, place: Path, draw: np.random.Generator) -> Path:
    """Damage a file and let the manifest say that it is the right one; or a `.tflite` alone."""
    name = str(draw.choice([MODEL, SELF_TEST, "bare", "it.kdz", "header"]))
    if name == "bare":
        path = place / MODEL
        path.write_bytes(damaged(_read(seeds, MODEL), draw))
        return path
    if name == "it.kdz":
        return _write(seeds, place, name, damaged(_read(seeds, name), draw))
    if name == "header":  # of an array: its shape is what is reserved
        content = _read(seeds, SELF_TEST)
        shape = b"(%d," % draw.choice([0, 10**6, 10**12, 10**18])
        content, name = content.replace(b"(2, ", shape.ljust(4)), SELF_TEST
    else:
        content = damaged(_read(seeds, name), draw)
    path = _write(seeds, place, name, content)
    told = json.loads(_read(seeds, MANIFEST))
    (told if name == MODEL else told["self_test"])["sha256"] = hashlib.sha256(content).hexdigest()
    (path / MANIFEST).write_text(json.dumps(told))
    return path
