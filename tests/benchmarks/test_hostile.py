"""A share of `python -m benchmarks.hostile`: no traceback, no end of a process, no file outside."""

import json
from pathlib import Path

import pytest
from hypothesis import strategies as st

from benchmarks.hostile.__main__ import ATTACKS, BEGIN, END, PAGE, RESULTS, render
from benchmarks.hostile.attack import draw, run
from benchmarks.hostile.kills import PublisherKills


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        pytest.param("bundles", 75, marks=pytest.mark.slow),
        pytest.param("teachers", 36, marks=pytest.mark.slow),
        pytest.param("devices", 24, marks=pytest.mark.slow),
        ("images", 40),
    ],
)
def test_damage_is_told_in_a_sentence(name: str, trials: int, tmp_path: Path) -> None:
    count, broken = run(ATTACKS[name](), trials, tmp_path / "work")
    # seconds are shown, not judged: the machine may be busy
    assert [line for line in broken if ": answered" not in line and ": refused" not in line] == []
    assert count.refused > count.trials / 4 or name == "devices"
    assert count.answered + count.refused == count.trials == trials
    assert count.grown_mb < 500


@pytest.mark.parametrize(
    "name", ["kills-publish", "kills-pull", pytest.param("kills-agent", marks=pytest.mark.slow)]
)
def test_what_is_killed_ends_as_if_it_never_was(name: str, tmp_path: Path) -> None:
    count, broken = run(ATTACKS[name](), 5, tmp_path / "work")
    assert [line for line in broken if ": answered" not in line and ": refused" not in line] == []
    assert count.answered == count.trials


def test_cases_are_the_same_each_time_and_none_comes_twice() -> None:
    def cases(strategy: st.SearchStrategy[int], count: int) -> list[int]:
        found: list[int] = []
        draw(strategy, count, found.append)
        return found

    assert cases(st.integers(), 50) == cases(st.integers(), 50)
    assert len(set(cases(st.integers(0, 60), 50))) == 50
    assert sorted(cases(st.integers(0, 2), 50)) == [0, 1, 2]


def test_a_kill_that_leaves_damage_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that writes records little by little, in their places."""

    def write_in_parts(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for end in range(0, len(data) + 20, 20):
            path.write_bytes(data[:end])

    monkeypatch.setattr("kdtasks.deploy.store.folder.write_whole", write_in_parts)
    _, broken = run(PublisherKills(), 5, tmp_path / "work")
    assert broken


def test_the_page_shows_what_was_measured() -> None:
    results = json.loads(RESULTS.read_text())
    assert set(results) == set(ATTACKS)
    assert PAGE.read_text().split(BEGIN)[1].split(END)[0] == f"\n{render(results)}"
