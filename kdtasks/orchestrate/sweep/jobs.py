"""What runs in clones: the points, and before them what several of them share."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from kdtasks.orchestrate.runner.graph import StageGraph, StageNode
from kdtasks.orchestrate.sweep.grid import Grid, Point, describe
from kdtasks.orchestrate.sweep.pipeline import Pipeline


class Job(NamedTuple):
    """A run of stages in a clone: a point, or what several points share."""

    clone: str  # name of its folder
    point: Point  # whose params the clone has
    stages: tuple[str, ...]
    workers: int  # stages at once
    is_point: bool


class Room(NamedTuple):
    """What fits on this machine at once."""

    cores: int
    threads: int  # of the widest stage of any point
    is_exclusive: bool  # a stage measures time: nothing may run beside its point

    @classmethod
    def of(cls, pipelines: Mapping[str, Pipeline], cores: int) -> "Room":
        """The room for the stages of some points."""
        stages = [stage for pipeline in pipelines.values() for stage in pipeline.stages.values()]
        threads = max((stage.threads for stage in stages), default=1)
        return cls(cores, threads, any(stage.is_exclusive for stage in stages))

    @property
    def stages(self) -> int:
        """Stages at once, in one point or in several."""
        return max(1, self.cores // self.threads)

    def points(self, asked: int | None, left: int) -> int:
        """Points at once, of those that are left to run."""
        most = 1 if self.is_exclusive else self.stages
        return max(1, min(asked or most, most, left))

    def note(self, asked: int | None) -> str | None:
        """Why less points run at once than were asked for; None if as many do."""
        if asked is None or asked <= self.points(None, asked):
            return None
        if self.is_exclusive:
            return f"--workers {asked}: a stage measures time, so points run one after another"
        return (
            f"--workers {asked}: the cores have room for {self.stages} (by runtime.threads, on "
            "which results depend to the bit)"
        )


def make_jobs(
    grid: Grid,
    points: Sequence[Point],
    pipelines: Mapping[str, Pipeline],
    done: Collection[str],
    stages: tuple[str, ...],
    *,
    room: Room,
    workers: int,
) -> tuple[StageGraph, dict[str, Job]]:
    """Turn points into a graph for the scheduler, and say what each of its nodes runs.

    Args:
        pipelines: of every point, by experiment.
        done: experiments of the points that need not run.
        stages: what a point runs.
        workers: points at once.
    """
    by_name = {point.experiment: point for point in points}
    left = {name: pipeline for name, pipeline in pipelines.items() if name not in done}
    groups = shared_stages(left)
    names = _group_names(grid, groups, by_name)
    share = max(1, room.stages // workers)
    nodes: list[StageNode] = []
    jobs: dict[str, Job] = {}
    for name, group in zip(names, groups, strict=True):
        first = by_name[group.members[0]]
        nodes.append(_node(name, [names[place] for place in group.needs], room.stages, room))
        clone = f"shared-{len(jobs)}-{first.experiment}"
        jobs[name] = Job(clone, first, group.stages, room.stages, is_point=False)
    for point in points:
        needs = [
            name
            for name, group in zip(names, groups, strict=True)
            if point.experiment in group.members
        ]
        nodes.append(_node(point.label, needs, share, room))
        jobs[point.label] = Job(point.experiment, point, stages, share, is_point=True)
    return StageGraph.of(nodes), jobs


def _node(name: str, needs: Sequence[str], stages: int, room: Room) -> StageNode:
    return StageNode(
        name, needs=tuple(needs), threads=stages * room.threads, exclusive=room.is_exclusive
    )


class Group(NamedTuple):
    """Stages that the same points share, all of them."""

    members: tuple[str, ...]  # points, by name, two or more
    stages: tuple[str, ...]
    needs: tuple[int, ...]  # the groups, by their place, that these stages read from


def _group_names(grid: Grid, groups: list[Group], points: Mapping[str, Point]) -> list[str]:
    varied = [axis.key for axis in grid.axes if len(axis.values) > 1]
    settings = {name: point.settings for name, point in points.items()}
    names: list[str] = []
    for group in groups:
        common = common_settings(group, settings, varied)
        if len(group.members) == len(points):
            name = "shared by all points"
        else:
            chosen = {key: settings[group.members[0]][key] for key in common}
            name = f"shared by {len(group.members)} points"
            name += f" with {describe(grid, chosen)}" if chosen else ""
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def shared_stages(pipelines: Mapping[str, Pipeline]) -> list[Group]:
    """Group the stages that do the same work in two points or more by the points that do.

    Two points that ran such a stage at one time would do its work twice: DVC's run-cache knows
    only what has ended.

    Args:
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
