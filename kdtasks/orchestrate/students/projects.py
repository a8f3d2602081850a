"""Where students of each resolution are trained: the project, or a clone with other images."""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.project.clone import make_clone, remove_clone
from kdtasks.orchestrate.project.git import last_commit
from kdtasks.orchestrate.project.project import check_workspace
from kdtasks.orchestrate.sweep.engine import run_in_clone
from kdtasks.orchestrate.sweep.grid import Draft, Grid, ParamsFile, Point, short_digest
from kdtasks.orchestrate.sweep.plan import plan_points
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.params import AFTER_EXPORT

NEEDED = ("targets", "labels")  # stages that write what a training reads, with all they need
Size = tuple[int, int]


def make_projects(
    project: Path,
    own: Iterable[Size | None],
    sizes: Iterable[Size | None],
    show: Callable[[str], None],
) -> dict[Size | None, Path]:
    """Prepare images and the teacher's answers of every size that is not the project's own.

    Clones are kept, and out of DVC's cache they cost little when they are made again.

    Args:
        own: the size of the project's images, in all ways that params may say it.

    Raises:
        SweepError: a stage failed.
        ProjectError: git or DVC cannot do their part.
    """
    projects = dict.fromkeys(own, project)
    points: dict[Size, Point] = {}
    file = ParamsFile(ProjectPaths(project).params.read_text(encoding="utf-8"))
    for size in sizes:
        if size and size not in {*projects, *points}:
            settings, label = {"data.image_size": list(size)}, f"{size[0]}x{size[1]}"
            draft = Draft(file, settings)
            params = draft.params(label)
            digest = short_digest(params.model_dump(mode="json", exclude=set(AFTER_EXPORT)))
            points[size] = Point(label, settings, params, draft, f"{label}-{digest}")
    if not points:
        return projects
    check_workspace(project)
    last_commit(project)
    given, base = list(points.values()), ProjectPaths(project).students / "sizes"
    plan = plan_points(project, Grid(()), given, NEEDED, kind=PointResult, workers=1)
    base.mkdir(parents=True, exist_ok=True)
    for old in set(base.iterdir()) - {base / point.experiment for point in given}:
        remove_clone(old)
    with closing(Guardian()) as guardian:
        for size, point in points.items():
            show(f"images of {point.label}: {' and '.join(NEEDED)}")
            about = {"params_text": point.text, "cache": plan.cache, "mark": plan.state}
            projects[size] = clone = make_clone(plan.tree, base / point.experiment, **about)
            words = (*NEEDED, "--workers", "1")
            run_in_clone(clone, words, lambda line: None, lambda: False, guardian)
    return projects
