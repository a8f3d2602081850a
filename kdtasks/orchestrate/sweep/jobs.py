"""What runs in clones: the points, and before them what several of them share."""

from collections import defaultdict
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


class Capacity(NamedTuple):
    """What fits on this machine at once."""

    cores: int
    threads: int  # of the widest stage of any point
    is_exclusive: bool  # a stage measures time: nothing may run beside its point
    uses_tensorflow: bool = False

    @classmethod
    def of(cls, pipelines: Mapping[str, Pipeline], cores: int) -> "Capacity":
        """The room for the stages of some points."""
        stages = [stage for pipeline in pipelines.values() for stage in pipeline.stages.values()]
        threads = max((stage.threads for stage in stages), default=1)
        return cls(
            cores,
            threads,
            any(stage.exclusive for stage in stages),
            any(stage.uses_tensorflow for stage in stages),
        )

    @property
    def stages(self) -> int:
        """Stages at once, in one point or in several."""
        return max(1, self.cores // self.threads)

    def points(self, requested: int | None, left: int) -> int:
        """Points at once, of those that are left to run."""
        most = 1 if self.is_exclusive else self.stages
        return max(1, min(requested or most, most, left))

    def note(self, requested: int | None) -> str | None:
        """Why fewer points run at once than were asked for; None if as many do."""
        if requested is None or requested <= self.points(None, requested):
            return None
        if self.is_exclusive:
            return f"--workers {requested}: a stage measures time, so points run one after another"
        return (
            f"--workers {requested}: the cores have room for {self.stages} (by runtime.threads, on "
            "which results depend to the bit)"
        )


def make_jobs(
    grid: Grid,
    points: Sequence[Point],
    pipelines: Mapping[str, Pipeline],
    done: Collection[str],
    stages: tuple[str, ...],
    *,
    capacity: Capacity,
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
    jobs: dict[str, Job] = {}
    needs: dict[str, list[str]] = {point.label: [] for point in points}
    for index, (name, group) in enumerate(zip(names, groups, strict=True)):
        members = [by_name[member] for member in group.members]
        clone = f"shared-{index}-{group.members[0]}"
        jobs[name] = Job(clone, members[0], group.stages, capacity.stages, is_point=False)
        needs[name] = [names[need] for need in group.needs]
        for point in members:
            needs[point.label].append(name)
    at_once = max(1, capacity.stages // workers)  # stages of a point
    for point in points:
        jobs[point.label] = Job(point.experiment, point, stages, at_once, is_point=True)
    graph = StageGraph.of(
        StageNode(
            name,
            needs=tuple(needs[name]),
            threads=job.workers * capacity.threads,
            exclusive=capacity.is_exclusive,
        )
        for name, job in jobs.items()
    )
    return graph, jobs


class Group(NamedTuple):
    """Stages that the same points share, all of them."""

    members: tuple[str, ...]  # points, by name, two or more
    stages: tuple[str, ...]
    needs: tuple[int, ...]  # the groups, by their place, that these stages read from


def _group_names(grid: Grid, groups: list[Group], points: Mapping[str, Point]) -> list[str]:
    varied = [axis.key for axis in grid.axes if len(axis.values) > 1]
    names: dict[str, None] = {}  # in order
    for group in groups:
        first, *others = (points[member].settings for member in group.members)
        common = {
            key: first[key] for key in varied if all(other[key] == first[key] for other in others)
        }
        name = f"shared by {len(group.members)} points"
        if len(group.members) == len(points):
            name = "shared by all points"
        elif common:
            name += f" with {describe(grid, common)}"
        names[name if name not in names else f"{name} ({len(names) + 1})"] = None
    return list(names)


def shared_stages(pipelines: Mapping[str, Pipeline]) -> list[Group]:
    """Group the stages that do the same work in two points or more by the points that do.

    Two points that ran such a stage at one time would do its work twice: DVC's run-cache knows
    only what has ended.

    Args:
        pipelines: of every point, by name.

    Returns: the groups, each after those that it needs.
    """
    found: dict[str, list[str]] = defaultdict(list)  # points by identity of a stage
    for point, pipeline in pipelines.items():
        for identity in pipeline.identities.values():
            found[identity].append(point)
    numbers: dict[tuple[str, ...], int] = {}  # of groups: comparing thousands of members takes time
    group_of = {job: numbers.setdefault(tuple(who), len(numbers)) for job, who in found.items()}
    members = list(numbers)
    stages: dict[int, list[str]] = defaultdict(list)
    needs: dict[int, set[int]] = defaultdict(set)
    for point, pipeline in pipelines.items():
        for name, stage in pipeline.stages.items():
            group = group_of[pipeline.identities[name]]
            if len(members[group]) > 1 and members[group][0] == point:  # once for all of them
                stages[group].append(name)
                below = {group_of[pipeline.identities[need]] for need in stage.needs}
                needs[group] |= below - {group}
    # whoever shares a stage shares all that it needs, so a group with more members comes first
    order = sorted(stages, key=lambda group: -len(members[group]))
    place = {group: number for number, group in enumerate(order)}
    return [
        Group(
            members[group],
            tuple(stages[group]),
            tuple(sorted(place[need] for need in needs[group])),
        )
        for group in order
    ]
