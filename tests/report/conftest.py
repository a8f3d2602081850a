"""Reports of projects whose files `tests.tools.report_projects` writes."""

import pickle
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params, parse_params
from kdtasks.report import charts, curves, figures
from kdtasks.report.page import write_report
from stages.report import settings_of
from tests.tools.report_projects import VARIANTS, write_project


@pytest.fixture
def params_content() -> dict[str, Any]:
    return {
        "recipe": "mnist-5k",
        "seeds": [0, 1, 2],
        "data": {
            "source": "mnist-5k",
            "split": {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2},
        },
        "teacher": {"source": "train", "model": {"name": "cnn", "filters": [32, 64, 128]}},
        "student": {
            "model": {"name": "cnn", "filters": [8, 16, 32]},
            "exits": ["block_1", "block_2"],
        },
        "compress": {"variants": list(VARIANTS)},
        "evaluate": {"bootstrap_samples": 500},
        "select": {"max_accuracy_drop": 0.02, "objective": "size"},
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Give a function that writes a folder once for all that ask by equal keys, and copies it."""
    known: dict[str, tuple[Path, Any]] = {}

    def copy(key: object, folder: Path, write: Callable[[Path], Any]) -> Any:
        """Give what `write(folder)` returned."""
        if (name := repr(key)) not in known:
            source = tmp_path_factory.mktemp("made") / "folder"
            known[name] = (source, write(source))
        source, given = known[name]
        shutil.copytree(source, folder, dirs_exist_ok=True)
        return given

    return copy


@pytest.fixture
def make_project(params_content: dict[str, Any], made: Callable[..., Any]) -> Callable[..., Params]:
    """Return `make(root, gain=…, exits=…, **changed params)`, which writes every input file."""

    def make(root: Path, **options: Any) -> Params:
        params: Params = made(options, root, partial(write, **options))
        return params

    def write(root: Path, *, gain: float = 0.013, exits: int = 3, **changes: Any) -> Params:
        content = {**params_content, **changes}
        if exits == 1:
            content["student"] = {**content["student"], "exits": []}
        params = parse_params(content)
        write_project(root, params, gain=gain, exits=exits)
        return params

    return make


@pytest.fixture(autouse=True, scope="session")
def drawn_once() -> Iterator[None]:
    """Draw a figure of equal arguments once a session: it depends on nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (charts, curves, figures):
            for name in [name for name in vars(module) if name.endswith(("_figure", "_chart"))]:
                patch.setattr(module, name, _remembered(getattr(module, name)))
        yield


def _remembered(draw: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[bytes, Any] = {}

    def draw_or_recall(*arguments: Any, **named: Any) -> Any:
        key = pickle.dumps((arguments, named))
        if key not in known:
            known[key] = draw(*arguments, **named)
        return known[key]

    return draw_or_recall


@pytest.fixture
def build(
    tmp_path: Path, make_project: Callable[..., Params], made: Callable[..., Any]
) -> Callable[..., Path]:
    """Return `build(change=…, **options of make_project)`, which gives the report's folder.

    `change(root)` may change the input files before the report is written.
    """

    def build_report(
        *,
        change: Callable[[Path], None] | None = None,
        folder: str = "project",
        **options: Any,
    ) -> Path:
        def write(root: Path) -> None:
            params = make_project(root, **options)
            if change:
                change(root)
            (root / "params.json").write_text(params.model_dump_json())
            write_report(ProjectPaths(root), settings_of(params))

        if change:
            write(tmp_path / folder)
        else:
            made(("report", options), tmp_path / folder, write)
        return tmp_path / folder / "report"

    return build_report
