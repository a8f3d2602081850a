"""Points: whole params files, validated before anything runs."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from kdtasks.core.errors import ParamsError
from kdtasks.orchestrate.sweep.grid import (
    Draft,
    ParamsFile,
    Point,
    describe,
    make_points,
    parse_grid,
    readable_name,
)


def points(project: Path, *settings: str, seeds: Any = None, stages: Any = ("compare",)):
    return make_points(project, parse_grid(settings), seeds=seeds, stages=stages)


def test_a_point_is_the_project_with_other_values(project: Path):
    before = (project / "params.yaml").read_text(encoding="utf-8")
    first, second = points(
        project, "distill.alpha=0.5", "student.exits=[],[block_1]", seeds=range(5)
    )
    assert first.label == "alpha=0.5, exits=[]"
    assert second.settings == {"distill.alpha": 0.5, "student.exits": ["block_1"]}
    assert second.params.seeds == (0, 1, 2, 3, 4)
    assert second.params.student.exits == ("block_1",)
    # nothing but the values is changed: comments, nulls and lists stay as they are written
    changed = before.replace("seeds: [0, 1, 2]", "seeds: [0, 1, 2, 3, 4]")
    assert second.text == changed.replace("alpha: 0.1", "alpha: 0.5")
    assert (project / "params.yaml").read_text(encoding="utf-8") == before


def test_without_seeds_the_projects_own_are_taken(project: Path):
    assert points(project, "distill.alpha=0.5")[0].params.seeds == (0, 1, 2)


def test_experiments_of_different_params_have_different_names(project: Path):
    def name(*arguments: str, **options: Any) -> str:
        return points(project, *arguments, **options)[0].experiment

    names = [
        name("distill.alpha=0.5"),
        name("distill.alpha=0.5", seeds=range(5)),
        name("distill.alpha=0.5", stages=("compare", "report")),
        name("distill.alpha=0.25"),
    ]
    assert len(set(names)) == 4
    assert names[0].startswith("alpha=0.5-")
    assert names[0] == name("distill.alpha=0.5")  # the same at every call


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("distill.alpah=0.5", "point alpah=0.5: distill.alpah: unknown key.*did you mean 'alpha'"),
        ("distil.alpha=0.5", "distil: unknown key.*did you mean 'distill'"),
        ("distill.alpha=0.5,2", "point alpha=2: distill.alpha: got 2; allowed: 0 to 1"),
        ("distill.loss=kd,kdd", 'point loss=kdd: distill.loss.name: got "kdd"; allowed: '),
        ("recipe.name=x", '-S recipe.name: recipe is "digits", not a section with keys'),
        ("data.image_size.x=3", "data.image_size is null, not a section with keys"),
    ],
)
def test_a_point_that_is_not_valid_is_one_line(project: Path, setting: str, message: str):
    with pytest.raises(ParamsError, match=message) as caught:
        points(project, setting)
    assert "\n" not in str(caught.value)


def test_a_project_that_is_not_valid_is_said_to_be_so(project: Path):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("  epochs: 20\n", "", 1), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"params.yaml: .*epochs"):
        points(project, "distill.alpha=0.5")


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_names_can_be_references_of_git(text: str, number: float):
    grid = parse_grid(["data.path=x", "distill.alpha=1"])
    slug = readable_name(describe(grid, {"data.path": text, "distill.alpha": number}))
    assert slug.startswith("path=")
    assert not set(slug) & set(" ~^:?*[\\/@{\x7f")
    assert ".." not in slug
    assert slug.isprintable()
    assert slug.isascii()


def test_text_stands_in_the_file_without_quotes(project: Path):
    point: Point = points(project, "data.on_bad=skip")[0]
    assert "on_bad: skip\n" in point.text
    assert YAML(typ="safe", pure=True).load(point.text)["data"]["on_bad"] == "skip"


FILE = ParamsFile("""\
# kept
a: {b: 1, c: [x, 'y']}
d:
  e: null
  f: {g: "h"}
""")


@pytest.mark.parametrize("key", ["a.b", "a", "d.e", "d.f.g", "d.new", "new.one"])
def test_what_is_validated_is_what_the_file_says(key: str):
    texts = ["", "x", "two words", "null", "true", "no", "1e3", "0o7", "# x", "a: b", "- c", "'ü\""]
    values = [None, True, 0, -3, 1e-05, 2.0, 1e22, [], {}, [1, [None, "x"]], {"y": {"z": [0.5]}}]
    for value in (*texts, *values, texts, dict.fromkeys(texts[1:], 1)):
        draft = Draft(FILE, {key: value, "d.f.i": [value]})
        assert YAML(typ="safe", pure=True).load(draft.text) == draft.content
        assert draft.text.startswith("# kept\n")
    assert FILE.plain == {"a": {"b": 1, "c": ["x", "y"]}, "d": {"e": None, "f": {"g": "h"}}}
