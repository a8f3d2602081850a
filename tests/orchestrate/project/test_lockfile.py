"""Two dvc.locks, compared output by output."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.lockfile import (
    Lock,
    LockedStage,
    OutputRow,
    compare_outputs,
    first_difference,
    overlaps,
    read_lock,
    sources,
    stages_after,
    timing_stages,
    topological_order,
)


def lock(**hashes: str) -> Lock:
    """prepare → distill → benchmark@x → report; hashes by path, `1` where none is given."""

    def stage(inputs: list[str], outputs: list[str]) -> LockedStage:
        return LockedStage(
            {path: hashes.get(path, "1") for path in inputs},
            {path: hashes.get(path, "1") for path in outputs},
        )

    return {
        "prepare": stage(["code", "photos"], ["data"]),
        "distill": stage(["data", "code"], ["model"]),
        "benchmark@x": stage(["model"], ["timing"]),
        "report": stage(["model", "timing"], ["page"]),
    }


def verdicts(rows: list[OutputRow]) -> dict[str, str]:
    return {row.path: row.verdict for row in rows}


def test_read_lock(tmp_path: Path):
    path = tmp_path / "dvc.lock"
    path.write_text(
        """\
schema: '2.0'
stages:
  second:
    cmd: x
    deps:
    - {path: data/prepared, hash: md5, md5: abc.dir, size: 1, nfiles: 2}
    outs:
    - {path: model, hash: md5, md5: def, size: 1}
  first:
    cmd: y
    outs:
    - {path: data/prepared, md5: abc.dir}
""",
        encoding="utf-8",
    )
    assert read_lock(path) == {
        "first": LockedStage({}, {"data/prepared": "abc.dir"}),
        "second": LockedStage({"data/prepared": "abc.dir"}, {"model": "def"}),
    }
    assert list(read_lock(path)) == ["first", "second"]


def test_an_empty_lock(tmp_path: Path):
    (tmp_path / "dvc.lock").write_text("", encoding="utf-8")
    assert read_lock(tmp_path / "dvc.lock") == {}


@pytest.mark.parametrize(
    "content", [b"stages: [", b"7", b"stages: {a: {outs: [{md5: 1}]}}", b"stages: {a: 7}", b"\xff"]
)
def test_another_file_is_no_lock(content: bytes, tmp_path: Path):
    (tmp_path / "other.yaml").write_bytes(content)
    with pytest.raises(ProjectError, match=r"other\.yaml is not a dvc\.lock \(.*; `kdtasks run`"):
        read_lock(tmp_path / "other.yaml")


def test_order_and_descendants():
    shuffled = dict(reversed(lock().items()))
    assert topological_order(shuffled) == ["prepare", "distill", "benchmark@x", "report"]
    assert timing_stages(shuffled) == ["benchmark@x"]
    assert stages_after(["benchmark@x"], lock()) == ["report"]
    assert stages_after(["prepare"], lock()) == ["distill", "benchmark@x", "report"]


def test_a_stage_that_reads_a_file_inside_a_folder_depends_on_it():
    stages = {
        "a": LockedStage({"data/prepared/dataset.json": "1"}, {"x": "1"}),
        "b": LockedStage({}, {"data/prepared": "1"}),
    }
    assert topological_order(stages) == ["b", "a"]
    assert sources(stages) == {}


def test_sources_are_what_no_stage_writes():
    assert sources(lock()) == {"code": "1", "photos": "1"}


def test_equal_locks():
    rows = compare_outputs(lock(), lock())
    assert set(verdicts(rows).values()) == {"same"}
    assert first_difference(lock(), lock()) is None


def test_timings_may_differ_and_nothing_else():
    there = lock(timing="2")
    assert verdicts(compare_outputs(lock(), there)) == {
        "data": "same",
        "model": "same",
        "timing": "timing",
        "page": "same",
    }
    assert first_difference(lock(), there) is None
    assert verdicts(compare_outputs(lock(), lock(page="2")))["page"] == "DIFFERENT"


def test_what_follows_from_timings_may_differ_where_they_do():
    there = lock(timing="2", page="2")
    rows = compare_outputs(lock(), there, measured=["report"])
    assert verdicts(rows) == {"data": "same", "model": "same", "timing": "timing", "page": "timing"}
    del there["report"]
    rows = compare_outputs(lock(), there, measured=["report"])
    assert rows[-1] == OutputRow("page", "1", None, "DIFFERENT")


def test_the_first_difference_is_a_stage_that_is_not_deterministic():
    assert first_difference(lock(), lock(model="2")) == (
        "the runs part at stage distill: its inputs are the same, its outputs are not"
    )


def test_the_first_difference_is_an_input():
    assert first_difference(lock(), lock(code="2", data="2", model="2")) == (
        "the runs part at stage prepare; inputs that differ: code"
    )


def test_an_input_that_changes_no_output_is_no_difference():
    assert first_difference(lock(), lock(photos="2", code="2")) is None
    assert first_difference(lock(), lock(photos="2", code="3", model="2")) == (
        "the runs part at stage distill; inputs that differ: code"
    )


def test_a_stage_that_only_one_has_is_a_difference():
    extra = {**lock(), "new": LockedStage({}, {"more": "1"})}
    told = "the runs part at stage new: only one of them has it"
    assert first_difference(lock(), extra) == first_difference(extra, lock()) == told


def test_missing_outputs_are_different_even_timings():
    there = lock()
    there["benchmark@x"].outputs.clear()
    del there["report"]
    found = verdicts(compare_outputs(lock(), there))
    assert found["timing"] == found["page"] == "DIFFERENT"
    extra = {**lock(), "new": LockedStage({}, {"more": "1"})}
    assert compare_outputs(lock(), extra)[-1] == OutputRow("more", None, "1", "DIFFERENT")


def test_overlaps():
    assert overlaps("a/b", "a/b")
    assert overlaps("a/b", "a")
    assert overlaps("a", "a/b")
    assert not overlaps("a/b", "a/bc")
    assert not overlaps("ab", "a")
