"""Teachers of every format: damaged bytes, damaged parts inside them, other things than files."""

import shutil
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import DAMAGES, ODD, OTHER_VALUES, PLACES, Damage, calls, make_odd
from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers import isolated
from kdtasks.learn.teachers.answer_files import read_answer_file

_SHAPE = (8, 8, 3)
_NETWORKS = ("old.keras", "new.keras", "old.h5", "new.h5", "it.tflite", "it.onnx", "saved_model")
_ANSWERS = ("answers.npz", "answers.csv")
_ARCHIVES, _HDF5 = ("old.keras", "new.keras"), ("old.h5", "new.h5")
Case = tuple[str, Callable[[Path], None]]


class Teachers(Attack):
    """A small network in every format, imported as the stage `teacher` does."""

    name, trials = "teachers", 1000

    def prepare(self, seeds: Path) -> None:
        from benchmarks.hostile.made import write_teachers

        write_teachers(seeds, _images())

    def listed(self, seeds: Path) -> list[Case]:
        """Other things in the place of every file."""
        return [
            (name, partial(_exchange, path.relative_to(seeds / name), kind))
            for name in (*_NETWORKS, *_ANSWERS)
            for path in _files(seeds / name)
            for kind in ODD
        ]

    def drawn(self, seeds: Path) -> st.SearchStrategy[Case]:
        """Give damaged bytes of files and of what is in archives, and other configurations."""
        names, archives, tables = map(st.sampled_from, [(*_NETWORKS, *_ANSWERS), _ARCHIVES, _HDF5])
        return st.one_of(
            st.tuples(names, calls(_alter, PLACES, DAMAGES)),
            st.tuples(archives, calls(_alter_inside, PLACES, DAMAGES, OTHER_VALUES)),
            st.tuples(tables, calls(_alter_configuration, OTHER_VALUES)),
        )

    def attempt(self, case: Case | None, seeds: Path, place: Path) -> None:
        if case is None:
            for name in ("old.keras", "it.onnx"):  # start what the others need as well
                _use(seeds / name, place / "out" / name)
            return
        name, damage = case
        copy = shutil.copytree if (seeds / name).is_dir() else shutil.copyfile
        copy(seeds / name, place / name)
        damage(place / name)
        _use(place / name, place / "out" / name)

    def settle(self) -> None:
        if not isolated._processes or not isolated._processes[-1].is_alive:
            isolated.open_isolated(Path("../seeds/old.keras")).run(_images()[:1].astype(np.float32))

    def others(self) -> list[int]:
        return [process.identity for process in isolated._processes]


@cache
def _images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, *_SHAPE), np.uint8)


def _use(path: Path, out: Path) -> None:
    from kdtasks.learn.teachers.imported import import_teacher
    from kdtasks.learn.teachers.settings import TeacherParams
    from tests.tools.datasets import dataset_of

    if "answers" in path.name:
        read_answer_file(path)
        return
    images = _images()
    labels = np.arange(len(images), dtype=np.int32) % 3
    dataset = dataset_of(images, labels, num_classes=3, split="validation")
    try:
        params = {"source": "import", "path": str(path), "input": "byte", "output": "logits"}
        import_teacher(out, TeacherParams.model_validate(params), dataset)
    except TeacherError as error:
        if "of the validation split" not in str(error):
            raise  # else it ran and was judged: nobody has trained it


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) or [path]


def _alter(place: float, damage: Damage, path: Path) -> None:
    files = _files(path)
    file = files[int(place * len(files))]
    file.write_bytes(damage(file.read_bytes()))


def _exchange(name: Path, kind: str, path: Path) -> None:
    (path / name).unlink()
    make_odd(path / name, kind)


def _alter_inside(place: float, damage: Damage, value: Damage, path: Path) -> None:
    """Damage the weights inside a zip, or put another value into one of its texts."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    name = list(parts)[int(place * len(parts))]
    parts[name] = (damage if name == "model.weights.h5" else value)(parts[name])
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def _alter_configuration(value: Damage, path: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = value(file.attrs["model_config"].encode()).decode()
