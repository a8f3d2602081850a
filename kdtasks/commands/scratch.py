"""Make a scratch clone of a project: its files, no outputs, a DVC cache of its own."""

import shutil
import subprocess
from pathlib import Path

from kdtasks.commands.lockfile import Lock, overlaps, sources
from kdtasks.commands.project import child_environment
from kdtasks.errors import ProjectError

KEPT_SECTIONS = ("parsing", "hydra", "feature")  # settings that say how dvc.yaml is read


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
