"""The front with intervals over fresh seeds, the student to take; as JSON, rows and a page."""

import json
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.files import read_json
from kdtasks.orchestrate.project.git import git
from kdtasks.orchestrate.students.study import StudentSearch, run_search
from kdtasks.orchestrate.students.summary import (
    experiment_name,
    keep_experiments,
    rows,
    summarise,
    write_page,
)
from kdtasks.params.write import render_params
from tests.orchestrate.students.conftest import MakeSearch, Trainings


def searched(search: StudentSearch, *, is_whole: bool = True) -> dict[str, Any]:
    run_search(search, lambda *told: None, 30.0 if is_whole else 0.0)
    return summarise(
        search, {"width 9, depth 0": "size, 9.0 kB, is over 3.0 kB"}, is_whole=is_whole
    )


def test_the_cheapest_that_is_accurate_enough_is_chosen(
    make_search: MakeSearch, trainings: Trainings, tmp_path: Path
):
    """Scores are the table's plus a thousandth a seed, so those of 1 and 2 are 0.0015 above."""
    search = make_search(trials=1)
    small, medium, large = (labels[0] for labels in search.order.values())
    trainings.scores |= {small: 0.7, medium: 0.895, large: 0.9}
    found = searched(search)
    assert [point["label"] for point in found["front"]] == [small, medium, large]
    point = found["front"][1]
    assert (point["mean"], point["cost"]) == (pytest.approx(0.8965), 1000)
    # Student's t of one degree of freedom at 97.5 % is 12.706, times 0.001 / √2 / √2
    half = 12.706 * 0.0005
    assert point["interval"] == pytest.approx((0.8965 - half, 0.8965 + half), abs=1e-6)
    assert found["winner"] == medium  # half a point below the best, of one point allowed
    assert found["sentence"].startswith(f"{medium} is the smallest of the front, 1.0\u00a0kB and")
    assert found["adopt"][0].startswith('in params.yaml student.model: {"name": "cnn"')
    table = {row["trial"]: row for row in rows(found)}
    assert table[large]["front"] == "on it"
    assert table["width 9, depth 0"]["front"] == "not tried: size, 9.0 kB, is over 3.0 kB"
    page = write_page(tmp_path / "out", found)
    assert read_json(page.with_name("search.json"))["winner"] == medium
    assert f"<th>{medium}</th>" in page.read_text(encoding="utf-8")


def test_a_student_leaves_the_front_where_fresh_seeds_say_so(
    make_search: MakeSearch, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
):
    search = make_search(trials=1)
    small, medium, large = (labels[0] for labels in search.order.values())
    trainings.scores |= {small: 0.7, medium: 0.895, large: 0.9}
    run_search(search, lambda *told: None, 30.0)
    unlucky, fresh = {1: 0.1, 2: 0.1}, {1: 0.9, 2: 0.91}
    scores = {small: {1: 0.7, 2: 0.71}, medium: unlucky, large: fresh}
    monkeypatch.setattr(StudentSearch, "fresh_scores", lambda self, label: scores[label])
    found = summarise(search, {}, is_whole=True)
    assert [point["stays"] for point in found["front"]] == [True, False, True]
    assert {row["trial"]: row["front"] for row in rows(found)}[medium] == "left it with fresh seeds"
    assert found["winner"] == large
    assert found["front"][1]["interval"] is None  # no spread


def test_before_every_seed_is_trained_nothing_is_chosen(make_search: MakeSearch):
    found = searched(make_search(), is_whole=False)
    assert (found["winner"], found["adopt"], found["trials"]) == (None, [], [])
    assert "the time is up before the front has all its 2\u00a0seeds" in found["sentence"]


def test_every_student_that_was_tried_is_an_experiment(make_search: MakeSearch):
    search = make_search(trials=1)
    folder = search.project
    (folder / "params.yaml").write_text(render_params(search.params), encoding="utf-8")
    (folder / ".gitignore").write_text("/.kdtasks/\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    words = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all")
    git(folder, *words)
    searched(search)
    keep_experiments(search)
    keep_experiments(search)
    head = git(folder, "rev-parse", "HEAD").strip()
    kept = git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert len(kept) == 3
    student = search.students[search.order["small"][0]]
    name = experiment_name(search, student)
    reference = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    assert reference in kept
    shown = json.loads(git(folder, "show", f"{reference}:report/search.json"))
    assert (shown["third"], shown["ended"], shown["epochs"]) == ("small", "complete", 8)
    filters = student.params.student.model.model_dump()["filters"]
    assert f"filters: {list(filters)}" in git(folder, "show", f"{reference}:params.yaml")
