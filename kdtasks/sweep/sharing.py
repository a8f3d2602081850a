"""Stages that several points have in common, to be run once and before the points."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kdtasks.sweep.pipeline import Pipeline


class Group(NamedTuple):
    """Stages that the same points share, all of them."""

    members: tuple[str, ...]  # points, by name, two or more
    stages: tuple[str, ...]
    needs: tuple[int, ...]  # the groups, by their place, that these stages read from


def shared_stages(pipelines: Mapping[str, Pipeline]) -> list[Group]:
    """Group the stages that do the same work in two points or more by the points that do.

    Two points that ran such a stage at one time would do its work twice: DVC's run-cache knows
    only what has ended.

    Arguments:
        pipelines: of every point, by name.

    Returns: the groups, each after those that it needs.
    """
    members: dict[str, list[str]] = {}
    for point, pipeline in pipelines.items():
        for stage in pipeline.stages.values():
            members.setdefault(stage.identity, []).append(point)
    stages: dict[tuple[str, ...], list[str]] = {}
    needs: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    seen: set[str] = set()
    for pipeline in pipelines.values():
        for stage in pipeline.stages.values():
            points = tuple(members[stage.identity])
            if len(points) < 2 or stage.identity in seen:
                continue
            seen.add(stage.identity)
            stages.setdefault(points, []).append(stage.name)
            below = {tuple(members[pipeline.stages[need].identity]) for need in stage.needs}
            needs.setdefault(points, set()).update(below - {points})
    # whoever shares a stage shares all that it needs, so a group with more members comes first
    order = sorted(stages, key=lambda points: -len(points))
    return [
        Group(points, tuple(stages[points]), tuple(sorted(map(order.index, needs[points]))))
        for points in order
    ]


def common_settings(
    group: Group, settings: Mapping[str, Mapping[str, object]], varied: Sequence[str]
) -> list[str]:
    """The keys, of those that the sweep varies, on which all points of a group agree."""
    first = settings[group.members[0]]
    return [
        key for key in varied if all(settings[point][key] == first[key] for point in group.members)
    ]
