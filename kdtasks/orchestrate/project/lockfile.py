"""Read dvc.lock and compare two of them, output by output."""

from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from kdtasks.core.errors import ProjectError

Verdict = Literal["same", "timing", "DIFFERENT"]
TIMING_STAGE = "benchmark"  # the only stage whose outputs are measurements of time


class LockedStage(NamedTuple):
    """What dvc.lock records of one stage: path to hash."""

    inputs: dict[str, str]
    outputs: dict[str, str]


Lock = dict[str, LockedStage]


class OutputRow(NamedTuple):
    """One output in both locks; None where a lock does not have it."""

    path: str
    here: str | None
    there: str | None
    verdict: Verdict


def read_lock(path: Path) -> Lock:
    """Read the hashes of a dvc.lock, stages before those that depend on them.

    Raises:
        ProjectError: the file is none.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
        stages = {
            name: LockedStage(_hashes(stage.get("deps")), _hashes(stage.get("outs")))
            for name, stage in content.get("stages", {}).items()
        }
    except (YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ProjectError(
            f"{path} is not a dvc.lock ({reason}); `kdtasks run` writes one"
        ) from None
    return {name: stages[name] for name in topological_order(stages)}


def topological_order(lock: Lock) -> list[str]:
    """Names of the stages, each after those whose outputs it reads; the same for the same lock."""
    needed = {name: sorted(_needed(name, lock)) for name in sorted(lock)}
    return list(TopologicalSorter(needed).static_order())


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


def compare_outputs(here: Lock, there: Lock, *, measured: Collection[str] = ()) -> list[OutputRow]:
    """One row an output, in the order in which the stages run.

    Args:
        here: one lock.
        there: the other.
        measured: stages whose outputs follow from timings, and so may differ as timings do.
    """
    rows = []
    for name in {**here, **there}:
        ours = here[name].outputs if name in here else {}
        theirs = there[name].outputs if name in there else {}
        for path in sorted({*ours, *theirs}):
            one, other = ours.get(path), theirs.get(path)
            is_measured = name in measured or name.partition("@")[0] == TIMING_STAGE
            verdict: Verdict = "DIFFERENT"
            if one == other:
                verdict = "same"
            elif is_measured and one and other:
                verdict = "timing"
            rows.append(OutputRow(path, one, other, verdict))
    return rows


def first_difference(here: Lock, there: Lock) -> str | None:
    """Say in one line where two runs part: which inputs differ, or that none does.

    Timings and what depends on them are skipped.
    """
    timings = timing_stages(here)
    skipped = {*timings, *stages_after(timings, here)}
    for name in {**here, **there}:
        if not (name in here and name in there):
            return f"the runs part at stage {name}: only one of them has it"
        ours, theirs = here[name], there[name]
        if name in skipped or ours.outputs == theirs.outputs:
            continue
        changed = sorted({path for path, _ in ours.inputs.items() ^ theirs.inputs.items()})
        if changed:
            return f"the runs part at stage {name}; inputs that differ: {', '.join(changed)}"
        return f"the runs part at stage {name}: its inputs are the same, its outputs are not"
    return None


def overlaps(path: str, other: str) -> bool:
    """Whether two paths are the same or one is a folder around the other."""
    first, second = PurePosixPath(path), PurePosixPath(other)
    return first == second or first in second.parents or second in first.parents


def _needed(name: str, lock: Lock) -> set[str]:
    pairs = [(read, other) for read in lock[name].inputs for other in lock if other != name]
    return {
        other for read, other in pairs if any(overlaps(read, out) for out in lock[other].outputs)
    }


def _hashes(entries: list[dict[str, str]] | None) -> dict[str, str]:
    return {
        entry["path"]: entry.get(entry.get("hash", "md5")) or "no hash" for entry in entries or []
    }
