"""Thirds by cost, halving inside each, fresh seeds for the front; the same after interruptions."""

from typing import Any

import pytest
from optuna.trial import TrialState

from kdtasks.orchestrate.students.study import FRESH, StudentSearch, run_search, undominated
from kdtasks.orchestrate.tune.study import done
from tests.orchestrate.students.conftest import MakeSearch, Trainings


def run(search: StudentSearch, minutes: float = 30.0) -> bool:
    return run_search(search, lambda *told: None, minutes)


def tried(search: StudentSearch) -> dict[str, list[Any]]:
    return {
        name: [(trial.params, trial.values, trial.state) for trial in done(study)]
        for name, study in search.studies.items()
    }


def test_seeds_are_none_of_the_projects(make_search: MakeSearch):
    search = make_search()
    assert search.params.seeds == (3, 4)
    assert (search.seed, search.fresh) == (0, (1, 2))


def test_thirds_are_cut_by_cost_and_begin_with_the_projects_own(make_search: MakeSearch):
    order = make_search().order
    widths = {
        name: sorted(label.split(",")[0] for label in labels) for name, labels in order.items()
    }
    assert widths == {
        "small": ["width 0.5", "width 0.75"],
        "medium": ["width 1", "width 1.25"],
        "large": ["width 1.5", "width 2"],
    }
    assert order["medium"][0] == "width 1, depth 0"


def test_students_are_stopped_for_the_sake_of_their_like_alone(
    make_search: MakeSearch, trainings: Trainings
):
    """Of each third the second is worse than the first, which ends it after an eighth."""
    search = make_search()
    for first, second in search.order.values():
        trainings.scores |= {first: trainings.scores[first], second: 0.1}
    assert run(search)
    assert {
        name: [trial.state for trial in done(search.studies[name])] for name in search.order
    } == {name: [TrialState.COMPLETE, TrialState.PRUNED] for name in ("small", "medium", "large")}
    pruned = done(search.studies["small"])[1]
    assert list(pruned.intermediate_values) == [125]
    firsts = [labels[0] for labels in search.order.values()]
    assert search.front() == firsts  # the more bytes, the better, in this table
    assert trainings.ran[6:] == [(label, seed) for label in firsts for seed in search.fresh]
    assert search.fresh_scores(firsts[0]) == pytest.approx(
        {seed: trainings.scores[firsts[0]] + seed / 1000 for seed in (1, 2)}
    )


@pytest.mark.parametrize("report", [10, 26])
def test_an_interrupted_search_ends_as_one_that_never_stopped(
    make_search: MakeSearch, trainings: Trainings, report: int
):
    whole = make_search("whole", trials=1)
    assert run(whole)
    assert len(trainings.ran) == 9
    trainings.stop_at = report + trainings._reports
    with pytest.raises(KeyboardInterrupt):
        run(make_search(trials=1))
    assert run(make_search(trials=1))
    assert tried(make_search(trials=1)) == tried(whole)
    assert len(trainings.ran) == 19  # one twice
    assert run(make_search(trials=2))
    assert len(done(make_search().studies["large"])) == 2  # more trials go on from these


def test_without_time_nothing_begins(make_search: MakeSearch, trainings: Trainings):
    search = make_search()
    assert not run(search, minutes=0.0)
    assert trainings.ran == []
    assert done(search.studies[FRESH]) == []


def test_other_students_seeds_or_files_are_another_search(make_search: MakeSearch):
    search = make_search()
    names = {study.study_name for study in search.studies.values()}
    assert names == {study.study_name for study in make_search().studies.values()}
    (search.project / "data/labelled.npy").write_bytes(b"others")
    assert not names & {study.study_name for study in make_search().studies.values()}


def test_the_front_has_no_point_that_costs_more_for_as_little():
    points = {"a": (2.0, 0.9), "b": (1.0, 0.8), "c": (3.0, 0.9), "d": (1.0, 0.85), "e": (4.0, 0.95)}
    assert undominated(points) == ["d", "a", "e"]
