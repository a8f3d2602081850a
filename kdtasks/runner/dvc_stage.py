"""What a stage of DVC says of itself."""

from typing import TYPE_CHECKING, Any

from kdtasks.errors import ProjectError
from kdtasks.runner.graph import StageNode

if TYPE_CHECKING:
    from dvc.stage import Stage


def digest(stage: "Stage") -> str:
    """DVC's hash of a stage's first output; empty if it has none."""
    return next((out.hash_info.value or "" for out in stage.outs if out.hash_info), "")


def stage_node(stage: "Stage", needs: tuple[str, ...]) -> StageNode:
    """A stage as the scheduler sees it.

    Raises:
        ProjectError: its `meta` in dvc.yaml holds something that makes no sense.
    """
    meta = stage.meta if isinstance(stage.meta, dict) else {}
    threads = meta.get("threads", 1)
    if not isinstance(threads, int) or threads < 1:
        raise ProjectError(
            f"stage {stage.addressing}: meta.threads is {threads!r}, expected a whole number from 1"
        )
    return StageNode(
        stage.addressing,
        needs=needs,
        description=stage.desc or "",
        threads=threads,
        exclusive=bool(meta.get("exclusive", False)),
        metrics=tuple(str(out) for out in stage.outs if out.metric),
        plots=tuple(str(out) for out in stage.outs if out.plot),
    )


def input_hashes(stage: "Stage") -> dict[str, Any]:
    """DVC's hash of every input, as it was last computed."""
    return {str(dep): dep.hash_info for dep in stage.deps}
