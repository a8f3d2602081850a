"""Remember that everything was up to date, so that a run with nothing to do need not ask DVC.

DVC takes two seconds to say so, most of them to be imported. What it has looked at is written down
after a run with how that looked (`stamps`); where all of it still looks so, its answer is the same.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kdtasks
from kdtasks.core.files import write_json
from kdtasks.orchestrate.runner.graph import (
    IsCancelled,
    OnLine,
    Outcome,
    StageGraph,
    StageNode,
    StageState,
)
from kdtasks.orchestrate.runner.stamps import TICK_NS, Snapshot, Watched, backdated, take_snapshot

_VERSION = 1
CODE = str(Path(kdtasks.__file__).parent)


@dataclass(frozen=True)
class UnchangedRun:
    """What was up to date."""

    watched: Watched
    snapshot: Snapshot
    nodes: tuple[StageNode, ...]
    digests: Mapping[str, str]  # of each stage, as `Outcome.digest`

    @property
    def is_current(self) -> bool:
        """Whether everything still looks as it did."""
        return take_snapshot(self.watched).digest == self.snapshot.digest


def recall(project: Path, stages: tuple[str, ...]) -> UnchangedRun | None:
    """What was remembered of these targets (none for all); None where nothing was, of this code."""
    try:
        content = json.loads(_path(project, stages).read_text(encoding="utf-8"))
        if (content["version"], content["project"]) != (_VERSION, str(project)):
            return None
        nodes = tuple(map(_node, content["nodes"]))
        watched = Watched(*map(tuple, content["watched"]))
        return UnchangedRun(watched, Snapshot(*content["look"]), nodes, content["digests"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def remember(project: Path, stages: tuple[str, ...], unchanged: UnchangedRun) -> None:
    """Write down what was up to date, unless something may have changed in the same moment."""
    if unchanged.snapshot.is_settled:
        content = {
            "version": _VERSION,
            "project": str(project),  # a copy of the project has other files
            "watched": unchanged.watched,
            "look": unchanged.snapshot,
            "nodes": [asdict(node) for node in unchanged.nodes],
            "digests": unchanged.digests,
        }
        write_json(_path(project, stages), content)


def settled_snapshot(watched: Watched) -> Snapshot:
    """Wait until what was just written is older than a tick of the file system's clock."""
    time.sleep(2 * TICK_NS / 1e9)
    return take_snapshot(watched)


def backdated_since(project: Path, stages: tuple[str, ...]) -> list[str]:
    """Files that have changed since the targets were up to date, and claim to be older."""
    unchanged = recall(project, stages)
    return list(backdated(unchanged.watched, unchanged.snapshot.begun_ns)) if unchanged else []


class UnchangedEngine:
    """Finds every stage unchanged."""

    def __init__(self, unchanged: UnchangedRun) -> None:
        """Args: `unchanged`, which is true."""
        self._unchanged = unchanged

    def plan(self, targets: Sequence[str] = ()) -> StageGraph:
        """The stages, as they were; the targets are those that were remembered."""
        return StageGraph.of(self._unchanged.nodes)

    def survey(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self._unchanged.digests)

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Nothing is to be done."""
        return Outcome(StageState.CACHED, self._unchanged.digests[name])


def _node(content: dict[str, Any]) -> StageNode:
    listed = {name: tuple(content[name]) for name in ("needs", "metrics", "plots")}
    return StageNode(**{**content, **listed})


def _path(project: Path, stages: tuple[str, ...]) -> Path:
    targets = hashlib.blake2b("\n".join(stages).encode(), digest_size=8).hexdigest()
    return project / ".dvc" / "tmp" / f"kdtasks-up-to-date-{targets}.json"
