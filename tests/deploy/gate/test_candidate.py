from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.core.files import write_json
from kdtasks.deploy.gate.gate import find_candidate


def test_the_chosen_variant_is_the_candidate(tmp_path: Path):
    write_json(tmp_path / "report/selection.json", {"chosen": "int8", "sentence": "the smallest"})
    assert find_candidate(tmp_path) == (tmp_path / "bundles" / "int8", "the smallest")


def test_no_variant_within_the_limits(tmp_path: Path):
    write_json(tmp_path / "report/selection.json", {"chosen": None, "sentence": "all too large"})
    assert find_candidate(tmp_path) == (None, "all too large")


def test_a_project_that_has_not_run(tmp_path: Path):
    with pytest.raises(ProjectError, match=r"selection\.json is not there; run the pipeline"):
        find_candidate(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"chosen": "int8"}'])
def test_a_choice_that_is_none(tmp_path: Path, text: str):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "selection.json").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError, match="is not what the report writes"):
        find_candidate(tmp_path)
