"""Teachers of every format: damaged bytes, damaged parts inside them, other things than files."""

import shutil
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import ODD, damaged, make_odd, with_another
from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers import isolated
from kdtasks.learn.teachers.answer_files import read_answer_file

_SHAPE = (8, 8, 3)
_NETWORKS = ("old.keras", "new.keras", "old.h5", "new.h5", "it.tflite", "it.onnx", "saved_model")
_ANSWERS = ("answers.npz", "answers.csv")
_KERAS = ("old.keras", "new.keras", "old.h5", "new.h5")


class Teachers(Attack):
    """A small network in every format, imported as the stage `teacher` does."""

    name, trials = "teachers", 1000

    def prepare(self, seeds: Path) -> None:
        from benchmarks.hostile.made import write_teachers

        write_teachers(seeds, _images())

    def attempt(self, trial: int, seeds: Path, place: Path) -> None:
        if trial < 0:
            for name in ("old.keras", "it.onnx"):  # start what the others need as well
                _use(seeds / name, place / "out" / name)
            return
        draw = np.random.default_rng([2, trial])
        names = (*_NETWORKS, *_ANSWERS)
        name = names[trial % len(names)]
        path = place / name
        copy = shutil.copytree if (seeds / name).is_dir() else shutil.copyfile
        copy(seeds / name, path)
        kinds = ("bytes", "bytes", "inside" if name in _KERAS else "bytes", "odd")
        match kinds[trial // len(names) % len(kinds)]:
            case "inside":
                _damage_inside(path, draw)
            case "odd":
                odd = _some_file(path, draw)
                odd.unlink()
                make_odd(odd, str(draw.choice(ODD)))
            case _:
                file = _some_file(path, draw)
                file.write_bytes(damaged(file.read_bytes(), draw))
        _use(path, place / "out" / name)

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


def _some_file(path: Path, draw: np.random.Generator) -> Path:
    files = sorted(file for file in path.rglob("*") if file.is_file()) or [path]
    return files[int(draw.integers(len(files)))]


def _damage_inside(path: Path, draw: np.random.Generator) -> None:
    """Put another value into the configuration, or damage the weights inside a zip."""
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = with_another(file.attrs["model_config"], draw)
        return
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(parts)[int(draw.integers(len(parts)))]
    if name == "model.weights.h5":
        parts[name] = damaged(parts[name], draw)
    else:
        parts[name] = with_another(parts[name].decode(), draw).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
