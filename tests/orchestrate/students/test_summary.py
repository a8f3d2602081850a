"""The front with intervals over fresh seeds, the student to take; as JSON, rows and a page."""

import json
from pathlib import Path

import pytest

from kdtasks.core.text import plain
from kdtasks.orchestrate.project.git import git
from kdtasks.orchestrate.students.record import StudentSearchSummary
from kdtasks.orchestrate.students.study import StudentSearch, run_search
from kdtasks.orchestrate.students.summary import keep_experiments, rows, summarise, write_page
from kdtasks.params.write import render_params
from tests.orchestrate.students.conftest import MakeSearch, Trainings


@pytest.fixture
def search(make_search: MakeSearch, trainings: Trainings) -> StudentSearch:
    """One student of each third was tried, with 70, 89.5 and 90 % and a tenth of a point a seed."""
    found = make_search(trials=1)
    scores = zip(found.order.values(), (0.7, 0.895, 0.9), strict=True)
    trainings.scores |= {labels[0]: score for labels, score in scores}
    assert run_search(found, lambda *told: None, 30.0)
    return found


def test_the_cheapest_that_is_accurate_enough_is_chosen(
    search: StudentSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    small, medium, large = (labels[0] for labels in search.order.values())
    found = summarise(search, {"width 9, depth 0": "size is over 3.0 kB"}, is_whole=True)
    assert [point.label for point in found.front] == [small, medium, large]
    point = found.front[1]  # of the seeds 1 and 2
    assert (point.mean, point.cost) == (pytest.approx(0.8965), 1000)
    # Student's t of one degree of freedom at 97.5 % is 12.706, times 0.001 / √2 / √2
    half = 12.706 * 0.0005
    assert point.interval == pytest.approx((0.8965 - half, 0.8965 + half), abs=1e-6)
    assert found.winner == medium  # half a point below the best, of one point allowed
    told = f"{medium} is the smallest of 3 students tried for at most 1.0 points lost to the most"
    assert plain(found.sentence).startswith(f"{told} accurate: 1.0 kB, ")
    assert found.adopt[0].startswith('in params.yaml student.model: {"name": "cnn"')
    table = {row["trial"]: row["front"] for row in rows(found)}
    assert table[large] == "on it"
    assert table["width 9, depth 0"] == "not tried: size is over 3.0 kB"
    page = write_page(tmp_path / "out", found)
    assert StudentSearchSummary.read(page.with_name("search.json")) == found
    html = page.read_text(encoding="utf-8")
    assert f"<th>{medium}</th>" in html
    assert html.count("<svg") == 2  # bytes, which they were weighed against, and compute
    image = page.with_name("front-bytes.svg").read_text(encoding="utf-8")
    assert f"On the front: {small}, 0.5, 70.2\u00a0%; {medium}, 1, " in image

    # fresh seeds may take a lucky one off the front, or not be trained yet
    scores = {small: {1: 0.7, 2: 0.71}, medium: {1: 0.1, 2: 0.1}, large: {1: 0.9, 2: 0.91}}
    monkeypatch.setattr(StudentSearch, "fresh_scores", lambda self, label: scores[label])
    found = summarise(search, {}, is_whole=True)
    assert [point.stays for point in found.front] == [True, False, True]
    assert {row["trial"]: row["front"] for row in rows(found)}[medium] == "left it with fresh seeds"
    assert found.winner == large
    scores[large].popitem()
    found = summarise(search, {}, is_whole=False)
    assert (found.winner, found.adopt) == (None, ())
    assert "is up before the front has all its 2 seeds" in plain(found.sentence)


def test_every_student_that_was_tried_is_an_experiment(search: StudentSearch):
    folder = search.project
    (folder / "params.yaml").write_text(render_params(search.params), encoding="utf-8")
    (folder / ".gitignore").write_text("/.kdtasks/\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    words = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all")
    git(folder, *words)
    keep_experiments(search)
    keep_experiments(search)
    trial = summarise(search, {}, is_whole=True).trials[0]
    kept = git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert len(kept) == 3
    (reference,) = (name for name in kept if name.endswith(trial.experiment))
    shown = json.loads(git(folder, "show", f"{reference}:report/search.json"))
    assert (shown["third"], shown["ended"], shown["epochs"]) == ("small", "complete", 4)
    model = trial.settings["student.model"]
    assert isinstance(model, dict)
    assert f"filters: {model['filters']}" in git(folder, "show", f"{reference}:params.yaml")
