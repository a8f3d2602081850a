"""A tiny project up to `targets`, in which a trial takes about a second."""

from pathlib import Path

import pytest

from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params, load_project_params
from kdtasks.params.load import load_params
from kdtasks.params.write import render_params
from stages import labels, prepare, targets, teacher

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"
CHANGES = {
    "seeds": [3, 4],
    "data": {"source": {"name": "digits"}, "max_images": 600, "train_labels": 120},
    "augmentation": {"views": 2},
    "train": {"batch_size": 32, "guard_epochs": 30},
    "teacher": {
        "source": "train",
        "model": {"name": "cnn", "filters": [8], "top": "flatten"},
        "epochs": 4,
        "learning_rate": 0.01,
    },
    "student": {
        "model": {"name": "cnn", "filters": [4], "top": "flatten"},
        "exits": [],
        "learning_rate": 0.01,
    },
    "distill": {"epochs": 4},
}


def tiny_params() -> Params:
    """Params of a project of 600 images of 8×8 pixels, of which students see 120 labels."""
    content = load_params(RECIPE).model_dump(mode="json")
    for section, changes in CHANGES.items():
        content[section] = content[section] | changes if isinstance(changes, dict) else changes
    return Params.model_validate(content)


def make_project(folder: Path) -> None:
    """Write such a project into a new folder and run what trials need."""
    folder.mkdir()
    for watched in ("data/raw", "data/raw-unlabelled", "models/import", "models/start"):
        (folder / watched).mkdir(parents=True)
    (folder / "params.yaml").write_text(render_params(tiny_params()), encoding="utf-8")
    params, paths = load_project_params(folder), ProjectPaths()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (prepare, labels, teacher, targets):
            stage.main(params, paths)
