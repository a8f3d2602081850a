"""What was found comes into params.yaml, with seeds that no trial had."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import ParamsError, TuneError
from kdtasks.core.files import read_json
from kdtasks.orchestrate.tune.result import FILE, TRIED, apply_result, write_result
from kdtasks.orchestrate.tune.study import Tuning, run_trials
from kdtasks.params import load_project_params
from kdtasks.params.write import render_params

MakeTuning = Callable[..., Tuning]
PARAMS = Path("params.yaml")


@pytest.fixture
def tuned(make_tuning: MakeTuning) -> Tuning:
    """A tuning with one pair of trials, of settings that params do not have."""
    changes = (
        "student.learning_rate=0.02",
        "student.epochs=3",
        "distill.learning_rate=0.03",
        "distill.epochs=2",
        "distill.alpha=0.25",
        "distill.temperature=3",
        "distill.loss=dist",
    )
    tuning = make_tuning(*changes, trials=1)
    run_trials(tuning, lambda *told: None)
    write_result(tuning, 1)
    return tuning


def test_it_is_written_once_with_fresh_seeds_and_all_comments(project: Path, tuned: Tuning):
    lines = apply_result(project)
    params = load_project_params(project)
    assert (params.student.learning_rate, params.student.epochs) == (0.02, 3)
    distill = params.distill
    assert (distill.learning_rate, distill.epochs) == (0.03, 2)
    assert (distill.alpha, distill.temperature, distill.loss.name) == (0.25, 3.0, "dist")
    assert params.seeds == (0, 4)  # 3 tuned
    assert (params.tune.trials, params.tune.seeds) == (1, (3,))
    assert PARAMS.read_text(encoding="utf-8") == render_params(params)
    assert "seeds: [3, 4] → [0, 4]" in lines
    before = PARAMS.read_bytes()
    assert apply_result(project) == []
    assert PARAMS.read_bytes() == before


def test_comments_of_somebodys_own_are_kept(project: Path, tuned: Tuning):
    text = PARAMS.read_text(encoding="utf-8").replace("seeds: [3, 4]", "seeds: [3, 4] # mine")
    PARAMS.write_text(text, encoding="utf-8")
    assert apply_result(project)
    assert "seeds: [0, 4] # mine" in PARAMS.read_text(encoding="utf-8")


def test_every_trial_can_be_looked_at(project: Path, tuned: Tuning):
    content = read_json(project / TRIED)
    assert content["trials"] == 1
    (alone,), (distilled,) = content["tried"]["alone"], content["tried"]["distilled"]
    assert alone["settings"] == {"student.learning_rate": 0.02, "student.epochs": 3}
    assert [len(alone["scores"]), len(distilled["scores"])] == [3, 2]
    assert content["best"]["alone"]["score"] == alone["scores"][-1]
    assert alone["ended"] == "complete"


def test_nothing_is_applied_to_other_settings(project: Path, tuned: Tuning):
    text = PARAMS.read_text(encoding="utf-8").replace("batch_size: 32", "batch_size: 16")
    PARAMS.write_text(text, encoding="utf-8")
    with pytest.raises(TuneError, match="has changed since `kdtasks tune` ran"):
        apply_result(project)


def test_nothing_is_applied_where_nothing_was_found(project: Path):
    with pytest.raises(TuneError, match="nothing was found yet; run `kdtasks tune` first"):
        apply_result(project)
    (project / ".kdtasks/tune").mkdir(parents=True)
    (project / ".kdtasks/tune" / FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(TuneError, match="is damaged"):
        apply_result(project)


def test_a_fresh_seed_without_a_network_to_start_from_is_refused(project: Path, tuned: Tuning):
    before = PARAMS.read_bytes()
    for seed in (3, 4):
        (project / "models/start" / str(seed)).mkdir()
    with pytest.raises(ParamsError, match="no folder 0 for the seed 0"):
        apply_result(project)
    assert PARAMS.read_bytes() == before
