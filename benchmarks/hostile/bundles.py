"""Bundles: cut, flipped, with other values, and with other things in the place of files."""

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import (
    BYTES,
    DAMAGES,
    ODD,
    VALUES,
    Damage,
    calls,
    cut,
    flips,
    make_odd,
    places,
    replaced,
)
from kdtasks.edge.bundle_files import MANIFEST, MODEL, SELF_TEST, open_bundle
from kdtasks.edge.registry import load_predictor

_PACKED = "it.kdz"
_FILES = (MANIFEST, MODEL, SELF_TEST, _PACKED)
_SHAPE = (8, 8, 3)
Case = Callable[[Path, Path], Path]


class Bundles(Attack):
    """A classifier of two exits, in all three forms, opened and run as `kdtasks predict` does."""

    name, trials = "bundles", 3000

    def prepare(self, seeds: Path) -> None:
        from benchmarks.hostile.made import write_bundles

        write_bundles(seeds, _SHAPE)

    def listed(self, seeds: Path) -> list[Case]:
        """Cuts at every hundredth, other things than files, and other values in every field."""
        count = len(list(places(json.loads(_read(seeds, MANIFEST)))))
        cuts = [partial(cut, part / 100) for part in range(100)]
        fields = [(field + 0.5) / count for field in range(count)]
        return [
            *(partial(_alter, name, damage) for name in _FILES for damage in cuts),
            *(partial(_exchange, name, kind) for name in _FILES for kind in ODD),
            *(
                partial(_alter, MANIFEST, partial(replaced, field, value))
                for field in fields
                for value in VALUES
            ),
        ]

    def drawn(self, seeds: Path) -> st.SearchStrategy[Case]:
        """Give bytes of every class in every file, and damage that the manifest does not tell."""
        rows = st.sampled_from([0, 10**6, 10**12, 10**18])
        told = st.sampled_from([MODEL, SELF_TEST])
        return st.one_of(
            *(calls(_alter, st.sampled_from(_FILES), flips(kind)) for kind in BYTES.values()),
            calls(_alter, st.just(_PACKED), DAMAGES),
            calls(_alter_and_tell, told, DAMAGES),
            calls(_alter_and_tell, st.just(SELF_TEST), calls(_reshaped, rows)),
            calls(_alter_model_alone, DAMAGES),
        )

    def attempt(self, case: Case | None, seeds: Path, place: Path) -> None:
        path = case(seeds, place) if case else seeds / "bundle"
        open_bundle(path)
        model = load_predictor(path)
        model.predict(np.zeros(_SHAPE, np.uint8)).to_json()
        if model.manifest.self_test is not None:
            model.self_test()


def _read(seeds: Path, name: str) -> bytes:
    return (seeds / name if name == _PACKED else seeds / "bundle" / name).read_bytes()


def _write(seeds: Path, place: Path, name: str, content: bytes) -> Path:
    """Write the bundle with one file of other content, in the form that the file is of."""
    if name == _PACKED:
        (place / name).write_bytes(content)
        return place / name
    shutil.copytree(seeds / "bundle", place / "bundle")
    (place / "bundle" / name).write_bytes(content)
    return place / "bundle"


def _alter(name: str, damage: Damage, seeds: Path, place: Path) -> Path:
    return _write(seeds, place, name, damage(_read(seeds, name)))


def _exchange(name: str, kind: str, seeds: Path, place: Path) -> Path:
    path = _write(seeds, place, name, b"")
    odd = path / name if path.is_dir() else path
    odd.unlink()
    make_odd(odd, kind)
    return path


def _alter_and_tell(name: str, damage: Damage, seeds: Path, place: Path) -> Path:
    """Damage a file and let the manifest say that it is the right one."""
    content = damage(_read(seeds, name))
    path = _write(seeds, place, name, content)
    told = json.loads(_read(seeds, MANIFEST))
    (told if name == MODEL else told["self_test"])["sha256"] = hashlib.sha256(content).hexdigest()
    (path / MANIFEST).write_text(json.dumps(told))
    return path


def _alter_model_alone(damage: Damage, seeds: Path, place: Path) -> Path:
    (place / MODEL).write_bytes(damage(_read(seeds, MODEL)))
    return place / MODEL


def _reshaped(rows: int, content: bytes) -> bytes:
    """Let an array's header claim other rows: they are what is reserved."""
    return content.replace(b"(2, ", (b"(%d," % rows).ljust(4))
