"""Make a scratch clone of a project: its files, no outputs, a DVC cache of its own."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.git import WorkingTree, git, paths
from kdtasks.orchestrate.project.lockfile import Lock, overlaps, sources

KEPT_SECTIONS = ("parsing", "hydra", "feature")  # settings that say how dvc.yaml is read
ALONE = {"analytics": "false", "check_update": "false", "autostage": "false"}
PRIVATE = ("dvc.lock", ".dvc/config", ".dvc/config.local")  # files of DVC that stay behind

# outside git and DVC; the clone belongs to the state of the project that it names
MARK = Path(".kdtasks") / "sweep-of"


def make_scratch_clone(project: Path, base: Path, lock: Lock) -> Path:
    """Copy what git tracks or does not ignore, without outputs, into a folder below `base`.

    Inputs that git ignores are copied as well; inputs outside the project are linked at the same
    place relative to the clone.

    Returns: the clone's folder, ready for `dvc repro`.

    Raises:
        ProjectError: git cannot list the project's files, or an input is not there.
    """
    clone = base / project.relative_to(project.anchor)
    clone.mkdir(parents=True)
    outputs = [path for stage in lock.values() for path in stage.outputs]
    for name in paths(project, "ls-files", "--cached", "--others", "--exclude-standard"):
        is_private = name in PRIVATE or name.startswith((".dvc/cache/", ".dvc/tmp/"))
        is_output = any(overlaps(name, output) for output in outputs)
        is_file = (project / name).is_file() or (project / name).is_symlink()
        if is_file and not is_private and not is_output:
            _copy(project / name, clone / name)
    for name in sorted(sources(lock)):  # folders before the links in them
        if not Path(name).is_absolute():  # else the same file in both
            _copy_source(name, project, clone)
    git(clone, "init", "--quiet")
    # the cache is set even to its default place, or a setting of the user would move it
    settings = {"core": ALONE, "cache": {"dir": "cache", "type": "copy"}}
    original, target = (folder / ".dvc" / "config" for folder in (project, clone))
    write_config(original, target, settings, sections=KEPT_SECTIONS)
    target.with_name(".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
    return clone


def replace_outputs(project: Path, clone: Path, paths: list[str]) -> None:
    """Put the project's outputs in place of the clone's."""
    for name in paths:
        target = clone / name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:  # remove the link first: writing through it would change DVC's cache
            target.unlink(missing_ok=True)
        _copy(project / name, target)


def _copy_source(name: str, project: Path, clone: Path) -> None:
    source, target = project / name, clone / name
    if not source.exists():
        raise ProjectError(f"input {name} is in dvc.lock, but not in {project}; bring it back")
    if ".." in Path(name).parts:
        _link_outside(source, target)
    elif source.is_symlink():
        _relink(source, target)
    elif source.is_dir():
        _copy(source, target, "__pycache__")
    elif not target.exists():
        _copy(source, target)


def _copy(source: Path, target: Path, *skipped: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        ignore = shutil.ignore_patterns(*skipped)
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignore)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def write_config(
    original: Path,
    target: Path,
    settings: Mapping[str, Mapping[str, str]],
    *,
    sections: tuple[str, ...] = (),
) -> None:
    """Write settings of DVC on top of those of another file: of all its sections, or of some."""
    from configobj import ConfigObj

    config = ConfigObj(str(original))
    for name in config.sections[:]:
        if sections and name not in sections:
            del config[name]
    config.merge(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        config.write(file)


def make_clone(tree: WorkingTree, folder: Path, *, params_text: str, cache: str, mark: str) -> Path:
    """Clone a project as it is now, with other params; a clone that is there whole is kept.

    A point that was killed goes on from the checkpoints in its clone.

    Args:
        cache: the folder of the project's DVC cache.
        mark: the state of the project; a clone of another state is made anew.

    Returns: the project's folder in the clone.
    """
    clone = project_in(folder, tree)
    if clone_mark(folder, tree) == mark:
        return clone
    remove_clone(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    remove_clone(partial)
    inside = project_in(partial, tree)
    # objects stay in the project's repository, so this takes no time and no space
    git(tree.project, "clone", "--quiet", "--shared", "--no-tags", str(tree.top), str(partial))
    git(partial, "checkout", "--quiet", "--detach", tree.head)
    for name in tree.removed:
        (inside / name).unlink(missing_ok=True)
    for name in tree.changed:
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree.project / name, inside / name)
    for name in tree.sources:
        _link(tree.project / name, inside / name)
    for name in tree.outside:
        _link_outside(tree.project / name, clone / name)
    for name in tree.reads:
        if name not in tree.outside and (tree.project / name).is_symlink():
            _relink(tree.project / name, inside / name)
    # what an earlier run recorded of stages that the point does not run is not the point's
    ProjectPaths(inside).lock.unlink(missing_ok=True)
    ProjectPaths(inside).params.write_text(params_text, encoding="utf-8")
    settings = {
        "cache": {"dir": cache},
        # the site's cache goes when the clone goes
        "core": {**ALONE, "site_cache_dir": str(clone / ".dvc" / "tmp" / "site")},
        "exp": {"auto_push": "false"},  # the clone's remote is the project itself
    }
    local = Path(".dvc") / "config.local"
    write_config(tree.project / local, inside / local, settings)
    (inside / MARK).parent.mkdir(exist_ok=True)
    (inside / MARK).write_text(mark, encoding="utf-8")
    partial.rename(folder)
    return clone


def project_in(folder: Path, tree: WorkingTree) -> Path:
    """The project's folder in a clone of its repository."""
    return folder / tree.project.relative_to(tree.top)


def clone_mark(folder: Path, tree: WorkingTree) -> str | None:
    """The state of the project that a clone is of; none where there is no whole clone."""
    path = project_in(folder, tree) / MARK
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


def _relink(source: Path, target: Path) -> None:
    """Let a link in a clone lead where the project's does, though that may be a relative one."""
    if target.resolve() != source.resolve():  # as behind another link, where both are one
        target.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())


def _link_outside(source: Path, target: Path) -> None:
    target = Path(os.path.normpath(target))
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
