"""Make a scratch clone of a project: its files, no outputs, a DVC cache of its own."""

import os
import shutil
import subprocess
from pathlib import Path

from kdtasks.core.errors import ProjectError
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.git import WorkingTree, git, setting
from kdtasks.orchestrate.project.lockfile import Lock, overlaps, sources
from kdtasks.orchestrate.project.project import child_environment

KEPT_SECTIONS = ("parsing", "hydra", "feature")  # settings that say how dvc.yaml is read

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
    for name in _listed_files(project):
        is_private = name == "dvc.lock" or name.startswith((".dvc/cache/", ".dvc/tmp/"))
        is_config = name in (".dvc/config", ".dvc/config.local")
        if is_private or is_config or any(overlaps(name, output) for output in outputs):
            continue
        _copy(project / name, clone / name)
    for name in sources(lock):
        _bring_source(name, project, clone)
    subprocess.run(["git", "init", "--quiet"], cwd=clone, env=child_environment(), check=True)
    _write_config(project / ".dvc" / "config", clone / ".dvc" / "config")
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


def _listed_files(project: Path) -> list[str]:
    if not shutil.which("git"):
        raise ProjectError("git is not installed; it says which files belong to the project")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project,
        env=child_environment(),
        capture_output=True,
        check=False,
    )
    if listing.returncode != 0:
        reason = listing.stderr.decode(errors="replace").strip()
        raise ProjectError(f"git cannot list the files of {project} ({reason}); is it a git clone?")
    names = sorted(set(listing.stdout.decode().split("\0")) - {""})
    return [name for name in names if (project / name).is_file() or (project / name).is_symlink()]


def _bring_source(name: str, project: Path, clone: Path) -> None:
    if Path(name).is_absolute():
        return  # the same file in both
    source = project / name
    if not source.exists():
        raise ProjectError(f"input {name} is in dvc.lock, but not in {project}; bring it back")
    target = clone / name
    is_inside = ".." not in Path(name).parts
    if not is_inside:
        target = Path(clone, name).resolve()
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.resolve())
    elif source.is_dir():
        shutil.copytree(
            source,
            target,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    elif not target.exists():
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _write_config(original: Path, target: Path) -> None:
    """Keep how dvc.yaml is read; the cache is the clone's own and empty, and there is no remote.

    The cache is set even to its default place, or a setting of the user would move it.
    """
    from configobj import ConfigObj

    kept = ConfigObj(str(original), list_values=False) if original.is_file() else ConfigObj()
    config = ConfigObj(list_values=False)
    for section in kept.sections:
        if section in KEPT_SECTIONS:
            config[section] = kept[section]
    config["core"] = {"analytics": "false", "check_update": "false", "autostage": "false"}
    config["cache"] = {"dir": "cache", "type": "copy"}
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        config.write(file)
    (target.parent / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")


def make_clone(tree: WorkingTree, folder: Path, *, params_text: str, cache: str, mark: str) -> Path:
    """Clone a project as it is now, with other params; a clone that is there whole is kept.

    A point that was killed goes on from the checkpoints in its clone.

    Args:
        cache: the folder of the project's DVC cache.
        mark: the state of the project; a clone of another state is made anew.

    Returns: the project's folder in the clone.
    """
    below = tree.project.relative_to(tree.top)
    place = project_in(folder, tree)
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
    paths = ProjectPaths(inside)
    paths.lock.unlink(missing_ok=True)
    paths.params.write_text(params_text, encoding="utf-8")
    _configure(tree.project, inside, cache=cache, site=place / ".dvc" / "tmp" / "site")
    (inside / MARK).parent.mkdir(exist_ok=True)
    (inside / MARK).write_text(mark, encoding="utf-8")
    partial.rename(folder)
    return place


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
