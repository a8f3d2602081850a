"""Read dvc.lock and compare two of them, output by output."""

from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

Verdict = Literal["same", "timing", "DIFFERENT"]
TIMING_STAGE = "benchmark"  # the only stage whose outputs are measurements of time


class LockedStage(NamedTuple):
    """What dvc.lock records of one stage: path to hash."""

    inputs: dict[str, str]
    outputs: dict[str, str]


Lock = dict[str, LockedStage]


class Row(NamedTuple):
    """One output of one stage in both locks; null where a lock does not have it."""

    stage: str
    path: str
    here: str | None
    there: str | None
    verdict: Verdict


def read_lock(path: Path) -> Lock:
    """Read the hashes of a dvc.lock, stages before those that depend on them."""
    from ruamel.yaml import YAML

    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
    stages = {
        name: LockedStage(_hashes(stage.get("deps")), _hashes(stage.get("outs")))
        for name, stage in content.get("stages", {}).items()
    }
    return {name: stages[name] for name in topological_order(stages)}


def topological_order(lock: Lock) -> list[str]:
    """Names of the stages, each after those whose outputs it reads; ties by name."""
    sorter = TopologicalSorter({name: _needed(name, lock) for name in sorted(lock)})
    sorter.prepare()
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return ordered


def timing_stages(lock: Lock) -> list[str]:
    """The stages that measure time: `benchmark` and `benchmark@…`."""
    return [name for name in lock if name.partition("@")[0] == TIMING_STAGE]


def stages_after(names: list[str], lock: Lock) -> list[str]:
    """Every stage that reads, directly or not, what the stages `names` write."""
    reached = set(names)
    for name in topological_order(lock):
        if reached & _needed(name, lock):
            reached.add(name)
    return [name for name in lock if name in reached.difference(names)]


def sources(lock: Lock) -> dict[str, str]:
    """Inputs that no stage writes: code, data and their hashes."""
    written = [path for stage in lock.values() for path in stage.outputs]
    return {
        path: value
        for stage in lock.values()
        for path, value in stage.inputs.items()
        if not any(overlaps(path, output) for output in written)
    }


def compare_outputs(here: Lock, there: Lock) -> list[Row]:
    """One row an output, in the order in which the stages run."""
    rows = []
    for name in [*here, *(name for name in there if name not in here)]:
        ours = here[name].outputs if name in here else {}
        theirs = there[name].outputs if name in there else {}
        for path in sorted({*ours, *theirs}):
            pair = (ours.get(path), theirs.get(path))
            rows.append(Row(name, path, *pair, _verdict(name, *pair)))
    return rows


def first_difference(here: Lock, there: Lock) -> str | None:
    """Say in one line where two runs part: which inputs differ, or that none does.

    Timings and what depends on them are left out.
    """
    timings = timing_stages(here)
    left_out = {*timings, *stages_after(timings, here)}
    for name, ours in here.items():
        theirs = there.get(name, LockedStage({}, {}))
        if name in left_out or ours == theirs:
            continue
        changed = sorted(
            path
            for path in {*ours.inputs, *theirs.inputs}
            if ours.inputs.get(path) != theirs.inputs.get(path)
        )
        if changed:
            return f"the runs part at stage {name}; inputs that differ: {', '.join(changed)}"
        return f"the runs part at stage {name}: its inputs are the same, its outputs are not"
    return None


def overlaps(path: str, other: str) -> bool:
    """Whether two paths are the same or one is a folder around the other."""
    first, second = PurePosixPath(path), PurePosixPath(other)
    return first == second or first in second.parents or second in first.parents


def _needed(name: str, lock: Lock) -> set[str]:
    return {
        other
        for other in lock
        if other != name
        and any(
            overlaps(read, written) for read in lock[name].inputs for written in lock[other].outputs
        )
    }


def _verdict(stage: str, here: str | None, there: str | None) -> Verdict:
    if here == there:
        return "same"
    is_timing = stage.partition("@")[0] == TIMING_STAGE
    return "timing" if is_timing and here and there else "DIFFERENT"


def _hashes(entries: list[dict[str, str]] | None) -> dict[str, str]:
    return {
        entry["path"]: entry.get(entry.get("hash", "md5")) or "no hash" for entry in entries or []
    }
