"""What files look like: every change shows, and what is too young is not trusted."""

import os
from pathlib import Path

from kdtasks.orchestrate.runner.stamps import TICK_NS, Snapshot, Watched, backdated, take_snapshot


def test_a_look_at_the_same_is_the_same_and_what_python_keeps_of_code_does_not_count(
    tmp_path: Path,
):
    (tmp_path / "data").mkdir()
    (tmp_path / "code").mkdir()
    watched = Watched((str(tmp_path / "data"), str(tmp_path / "none")), (str(tmp_path / "code"),))
    before = take_snapshot(watched).digest
    (tmp_path / "code" / "__pycache__").mkdir()
    (tmp_path / "code" / "__pycache__" / "x.pyc").touch()
    assert take_snapshot(watched).digest == before
    (tmp_path / "code" / "x.py").touch()
    after = take_snapshot(watched).digest
    assert after != before
    (tmp_path / "none").touch()
    assert take_snapshot(watched).digest not in (before, after)


def test_of_a_place_only_the_files_of_dvc_count(tmp_path: Path):
    watched = Watched((), (), (str(tmp_path), str(tmp_path / "gone")))
    before = take_snapshot(watched).digest
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.dvc").touch()  # it would be another place
    assert take_snapshot(watched).digest == before
    (tmp_path / "photo.jpg.dvc").touch()
    assert take_snapshot(watched).digest != before


def test_a_link_counts_by_itself_and_by_what_it_leads_to(tmp_path: Path):
    (tmp_path / "data").mkdir()
    target = tmp_path / "target"
    target.write_text("one", encoding="utf-8")
    (tmp_path / "data" / "link").symlink_to(target)
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    watched = Watched((str(tmp_path / "data"),))
    before = take_snapshot(watched).digest
    target.write_text("other", encoding="utf-8")
    assert take_snapshot(watched).digest != before


def test_a_file_that_claims_to_be_old_is_found_out(tmp_path: Path):
    honest, liar = tmp_path / "honest", tmp_path / "liar"
    since = take_snapshot(Watched(())).begun_ns
    honest.touch()
    liar.touch()
    os.utime(liar, ns=(1, 1))
    os.utime(honest, ns=(since + 10**12, since + 10**12))
    watched = Watched((str(honest), str(liar)))
    assert list(backdated(watched, since - 10**9)) == [str(liar)]


def test_what_changed_within_a_tick_of_the_clock_is_not_settled():
    assert Snapshot("", 10 * TICK_NS, 8 * TICK_NS).is_settled
    assert not Snapshot("", 10 * TICK_NS, 9 * TICK_NS).is_settled
    assert not Snapshot("", 10 * TICK_NS, 11 * TICK_NS).is_settled
