"""The page and sweep.json: the same figures give the same bytes, and nothing is left blank."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.orchestrate.sweep.engine import SweepEnd
from kdtasks.orchestrate.sweep.page import command_line, default_folder, render_page, write_page
from kdtasks.orchestrate.sweep.plan import SweepOptions, SweepPlan, plan_sweep
from kdtasks.orchestrate.sweep.record import FailedPoint, SweepSummary
from kdtasks.orchestrate.sweep.summary import summarise
from tests.tools.sweeps import point_result

OPTIONS = SweepOptions(("distill.alpha=0,0.5,0.9", "distill.temperature=3,6"), seeds=3)


@pytest.fixture(scope="module")
def plan(committed_project: Path, tmp_path_factory: pytest.TempPathFactory) -> SweepPlan:
    """A plan of six points; nothing runs."""
    folder = tmp_path_factory.mktemp("page") / "project"
    shutil.copytree(committed_project, folder, symlinks=True)
    return plan_sweep(folder, OPTIONS)


def end(plan: SweepPlan, *, failed: int = 1, seeds: int = 3) -> SweepEnd:
    """A sweep whose gains shrink from point to point and whose last points failed."""
    outcomes, results = {}, {}
    for place, point in enumerate(plan.points):
        if place >= len(plan.points) - failed:
            message = f"{point.label}: the loss is <not> a number"
            outcomes[point.label] = Outcome(StageState.FAILED, message=message)
            continue
        outcomes[point.label] = Outcome(StageState.COMPLETED)
        student = {seed: 0.9 + 0.001 * seed for seed in range(seeds)}
        gains = {seed: 0.03 - 0.015 * place + 0.001 * (seed % 2) for seed in range(seeds)}
        results[point.experiment] = point_result(
            student,
            {seed: value + gains[seed] for seed, value in student.items()},
            validation=dict.fromkeys(range(seeds), 0.9 + 0.001 * place),
            bootstrap=(-0.02, 0.041),
            labels=900 if (labels := point.params.data.train_labels) is None else labels,
        )
    return SweepEnd(outcomes, results)


def text_of(page: str) -> str:
    body = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&nbsp;", " ").split())


def test_sweep_json_says_it_all(plan: SweepPlan, tmp_path: Path):
    summary = summarise(plan, end(plan))
    page = write_page(tmp_path / "out", plan.grid, OPTIONS, summary)
    assert page == tmp_path / "out" / "index.html"
    written = json.loads((tmp_path / "out/sweep.json").read_text(encoding="utf-8"))
    assert SweepSummary.read(tmp_path / "out/sweep.json") == summary
    assert (written["recipe"], written["seeds"], written["compared"]) == ("digits", [0, 1, 2], 6)
    assert written["axes"][0] == {"key": "distill.alpha", "values": [0, 0.5, 0.9]}
    first, *_, last = written["points"]
    assert first["settings"] == {"distill.alpha": 0, "distill.temperature": 3}
    assert first["experiment"] == plan.points[0].experiment
    assert first["gain"]["verdict"] == "helps"
    assert first["gain"]["adjusted_p_value"] >= first["gain"]["p_value"]
    assert first["gain"]["bootstrap_interval"] == [-0.02, 0.041]
    assert first["gain"]["by_seed"] == pytest.approx({"0": 0.03, "1": 0.031, "2": 0.03})
    assert last["failed"] == "the loss is <not> a number"
    # by validation, which prefers the worst of them on the test split
    assert written["chosen"] == {"label": "alpha=0.9, temperature=3", "ties": []}


def test_the_page_shows_every_point(plan: SweepPlan):
    summary = summarise(plan, end(plan))
    page = render_page(plan.grid, OPTIONS, summary)
    text = text_of(page)
    for point in summary.points:
        assert text.count(point.label) >= 1
    assert text.count("helps") >= 2
    assert "failed: the loss is &lt;not&gt; a number" in text
    assert "kdtasks sweep -S distill.alpha=0,0.5,0.9 -S distill.temperature=3,6 --seeds 3" in text
    assert text.count("images: −2.0 to +4.1") == 5  # of the points that did not fail
    assert "at 5 %" in text  # the promise of the correction
    assert page.count("<svg") == 1
    assert 'class="chosen"' in page
    assert render_page(plan.grid, OPTIONS, summary) == page


def test_label_curves_are_on_the_page_and_beside_it(project: Path, tmp_path: Path):
    options = SweepOptions(("data.train_labels=100,null,300",), seeds=3)
    plan = plan_sweep(project, options)
    summary = summarise(plan, end(plan, failed=0))
    page = write_page(tmp_path / "out", plan.grid, options, summary)
    (curve,) = json.loads((tmp_path / "out/sweep.json").read_text(encoding="utf-8"))["label_curves"]
    assert curve["points"] == ["train_labels=100", "train_labels=300", "train_labels=null"]
    assert [it["labels"] for it in curve["worth"]] == [100, 300, 900]
    text = text_of(page.read_text(encoding="utf-8"))
    # students alone are equal everywhere, so those that are better are so beyond their curve
    assert text.count("With the teacher, 100 labels do what more than 900 do without; 300 do") == 1
    assert "Labels The student alone needs Test, distilled Test, student alone 100" in text
    image = (tmp_path / "out/labels.svg").read_text(encoding="utf-8")
    assert "900 labels, 90.1" in image
    assert page.read_text(encoding="utf-8").count("<svg") == 2


def test_few_points_are_drawn_without_a_word_of_worth(project: Path, tmp_path: Path):
    options = SweepOptions(("data.train_labels=100,null", "distill.alpha=0.1,0.5"), seeds=3)
    plan = plan_sweep(project, options)
    page = write_page(tmp_path, plan.grid, options, summarise(plan, end(plan, failed=0)))
    text = text_of(page.read_text(encoding="utf-8"))
    assert text.count("can be said from three numbers of labels and three seeds on") == 2
    assert "alone needs" not in text
    assert "With the teacher" not in text
    names = {path.name for path in tmp_path.iterdir()}
    assert {"index.html", "sweep.json", "labels.svg", "labels-2.svg"} <= names


def test_a_sweep_that_failed_everywhere_has_a_page(plan: SweepPlan):
    summary = summarise(plan, end(plan, failed=6))
    assert summary.chosen is None
    page = render_page(plan.grid, OPTIONS, summary)
    assert "<svg" not in page
    assert text_of(page).count("the loss is &lt;not&gt; a number") == 6


def test_one_seed_is_said_to_tell_nothing(project: Path):
    options = replace(OPTIONS, seeds=1)
    plan = plan_sweep(project, options)
    page = render_page(plan.grid, options, summarise(plan, end(plan, seeds=1)))
    assert "One seed tells nothing." in page
    assert "interval not known" in page
    assert 'class="verdict helps"' not in page


def test_points_that_were_skipped_say_why(plan: SweepPlan):
    outcomes = {
        p.label: Outcome(StageState.SKIPPED, message="it needs shared") for p in plan.points
    }
    points = summarise(plan, SweepEnd(outcomes, {})).points
    reasons = {point.failed for point in points if isinstance(point, FailedPoint)}
    assert reasons == {"it needs shared"}
    assert len(points) == len(plan.points)


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (SweepOptions(("a.b=1",)), "kdtasks sweep -S a.b=1"),
        (SweepOptions(("a=1",), cluster="local:3"), "kdtasks sweep -S a=1 --cluster local:3"),
        (
            SweepOptions(("a.b=[x, y]",), 5, 2, ("compare", "report")),
            "kdtasks sweep -S 'a.b=[x, y]' --seeds 5 --stage report",
        ),
    ],
)
def test_the_command_can_be_given_again(options: SweepOptions, command: str):
    assert command_line(options) == command


def test_the_folder_belongs_to_the_sweep(plan: SweepPlan):
    folder = default_folder(plan)
    assert folder.parent == plan.project / "report"
    assert folder == default_folder(plan)
    assert folder != default_folder(replace(plan, points=plan.points[:4]))
