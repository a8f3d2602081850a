"""The clone of a project that a point runs in: its own files, the project's DVC cache."""

import os
import shutil
from pathlib import Path

from kdtasks.sweep.git import git, setting
from kdtasks.sweep.pipeline import PARAMS_FILE
from kdtasks.sweep.working_tree import WorkingTree

# outside git and DVC; the clone belongs to the state of the project that it names
MARK = Path(".kdtasks") / "sweep-of"


def make_clone(tree: WorkingTree, folder: Path, *, params_text: str, cache: str, mark: str) -> Path:
    """Clone a project as it is now, with other params; a clone that is there whole is kept.

    A point that was killed goes on from the checkpoints in its clone.

    Arguments:
        cache: the folder of the project's DVC cache.
        mark: the state of the project; a clone of another state is made anew.

    Returns: the project's folder in the clone.
    """
    below = tree.project.relative_to(tree.top)
    place = folder / below
    if clone_mark(folder, tree) == mark:
        return place
    remove_clone(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    remove_clone(partial)
    inside = partial / below
    # objects stay in the project's repository, so this takes no time and no space
    git(tree.project, "clone", "--quiet", "--shared", "--no-tags", str(tree.top), str(partial))
    git(partial, "checkout", "--quiet", "--detach", tree.head)
    for key, default in (("user.name", "kdtasks"), ("user.email", "kdtasks@localhost")):
        git(partial, "config", key, setting(tree.project, key) or default)
    for name in tree.removed:
        (inside / name).unlink(missing_ok=True)
    for name in tree.changed:
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree.project / name, inside / name)
    for name in tree.sources:
        _link(tree.project / name, inside / name)
    for name in tree.outside:
        _link_outside(tree.project / name, place / name)
    # what an earlier run recorded of stages that the point does not run is not the point's
    (inside / "dvc.lock").unlink(missing_ok=True)
    (inside / PARAMS_FILE).write_text(params_text, encoding="utf-8")
    _configure(tree.project, inside, cache=cache, site=place / ".dvc" / "tmp" / "site")
    (inside / MARK).parent.mkdir(exist_ok=True)
    (inside / MARK).write_text(mark, encoding="utf-8")
    partial.rename(folder)
    return place


def clone_mark(folder: Path, tree: WorkingTree) -> str | None:
    """The state of the project that a clone is of; none where there is no whole clone."""
    path = folder / tree.project.relative_to(tree.top) / MARK
    return path.read_text(encoding="utf-8") if path.is_file() else None


def remove_clone(folder: Path) -> None:
    """Remove a clone; results that were saved as an experiment are in git and DVC's cache."""
    shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """A second name for a file, where the file system can; a copy else."""
    target.parent.mkdir(parents=True, exist_ok=True)
    original = source.resolve()
    if original.is_dir():  # the project itself has a link there
        target.symlink_to(original)
        return
    try:
        os.link(original, target)
    except OSError:
        shutil.copy2(original, target)


def _link_outside(source: Path, target: Path) -> None:
    target = Path(os.path.normpath(target))
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())


def _configure(project: Path, inside: Path, *, cache: str, site: Path) -> None:
    """Let DVC use the project's cache, and keep to itself otherwise."""
    from configobj import ConfigObj

    local = project / ".dvc" / "config.local"
    config = ConfigObj()
    config.merge(ConfigObj(str(local)) if local.is_file() else {})
    for section, key, value in (
        ("cache", "dir", cache),
        ("core", "analytics", "false"),
        ("core", "autostage", "false"),
        ("core", "check_update", "false"),
        ("core", "site_cache_dir", str(site)),  # goes when the clone goes
        ("exp", "auto_push", "false"),  # the clone's remote is the project itself
    ):
        config.setdefault(section, {})[key] = value
    (inside / ".dvc").mkdir(exist_ok=True)
    with (inside / ".dvc" / "config.local").open("wb") as file:
        config.write(file)
