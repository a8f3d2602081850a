from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.links import BEGIN, END, with_links

PIPELINE = Path(__file__).parents[3] / "dvc.yaml"


def test_links_are_written_and_taken_back() -> None:
    before = PIPELINE.read_text(encoding="utf-8")
    links = ["data/raw/dogs", "data/raw/old: 'cats' #1", "data/raw/é ${x}"]
    after = with_links(before, links)
    deps = YAML(typ="safe", pure=True).load(after)["stages"]["prepare"]["deps"]
    assert deps[3:6] == [*links[:2], "data/raw/é \\${x}"]
    assert with_links(after, []) == with_links(before, [])


def test_a_pipeline_without_a_place_for_them_is_told() -> None:
    with pytest.raises(ProjectError, match=r"dvc\.yaml has 0 blocks of linked folders") as info:
        with_links("stages: {}\n", ["data/raw/dogs"])
    assert BEGIN in str(info.value)
    assert END in str(info.value)
