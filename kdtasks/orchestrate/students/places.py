"""Where students of each resolution are trained: the project, or a clone with other images."""

from collections.abc import Callable, Iterable
from pathlib import Path

from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.project.clone import make_clone, remove_clone
from kdtasks.orchestrate.project.git import last_commit
from kdtasks.orchestrate.project.project import check_workspace
from kdtasks.orchestrate.sweep.engine import run_in_clone
from kdtasks.orchestrate.sweep.grid import Grid, Point, short_digest, with_settings
from kdtasks.orchestrate.sweep.plan import plan_points
from kdtasks.orchestrate.sweep.results import PointResult

NEEDED = ("targets", "labels")  # stages that write what a training reads, with all they need
Size = tuple[int, int]


def make_places(
    project: Path, own: Size | None, sizes: Iterable[Size | None], tell: Callable[[str], None]
) -> dict[Size | None, Path]:
    """Prepare images and the teacher's answers of every size that is not the project's own.

    Clones are kept, and out of DVC's cache they cost little when they are made again.

    Raises:
        SweepError: a stage failed.
        ProjectError: git or DVC cannot do their part.
    """
    places: dict[Size | None, Path] = {own: project}
    text, points = ProjectPaths(project).params.read_text(encoding="utf-8"), {}
    for size in sizes:
        if size is not None and size not in (*points, own):
            settings = {"data.image_size": list(size)}
            label = f"{size[0]}x{size[1]}"
            changed, params = with_settings(text, settings, source=label)
            name = f"students-{label}-{short_digest(params.model_dump(mode='json'))}"
            points[size] = Point(label, settings, params, changed, name)
    if not points:
        return places
    check_workspace(project)
    last_commit(project)
    given = list(points.values())
    plan = plan_points(project, Grid(()), given, NEEDED, kind=PointResult, workers=1)
    base = ProjectPaths(project).students / "sizes"
    base.mkdir(parents=True, exist_ok=True)
    for old in set(base.iterdir()) - {base / point.experiment for point in given}:
        remove_clone(old)
    guardian = Guardian()
    try:
        for size, point in points.items():
            tell(f"images of {point.label}: {' and '.join(NEEDED)}")
            folder = base / point.experiment
            about = {"params_text": point.text, "cache": plan.cache, "mark": plan.state}
            places[size] = make_clone(plan.tree, folder, **about)
            words = (*NEEDED, "--workers", "1")
            run_in_clone(places[size], words, lambda line: None, lambda: False, guardian)
    finally:
        guardian.close()
    return places
