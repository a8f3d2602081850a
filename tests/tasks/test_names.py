"""A task is named by its three facets and by the data that has it; everybody else asks a facet."""

import re
from pathlib import Path

import pytest

from kdtasks.edge.registry import PREDICTORS
from kdtasks.evaluate.registry import EVALUATORS
from kdtasks.tasks.registry import TASKS

ROOT = Path(__file__).parents[2]
FACETS = {
    "kdtasks/tasks/classification.py",
    "kdtasks/tasks/segmentation.py",
    "kdtasks/edge/classifier.py",
    "kdtasks/edge/segmenter.py",
    "kdtasks/evaluate/classification.py",
    "kdtasks/evaluate/segmentation.py",
}
DECLARATIONS = "kdtasks/data/sources/"  # of each source, its own


def test_every_task_has_its_three_facets():
    assert list(TASKS) == list(PREDICTORS) == list(EVALUATORS)
    for name, task in TASKS.items():
        assert task.name == name
        assert PREDICTORS[name].per_pixel == task.per_pixel


@pytest.mark.parametrize("folder", ["kdtasks", "flows", "stages"])
def test_no_other_file_names_a_task(folder: str):
    named = re.compile(rf"""(["'])({"|".join(TASKS)})\1""")
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".html")]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if named.search(path.read_text(encoding="utf-8"))
    }
    assert files
    assert {path for path in found if not path.startswith(DECLARATIONS)} <= FACETS
