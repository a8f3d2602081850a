"""Check the installation, the machine and the project; every finding says how to mend it."""

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from kdtasks.core.errors import KdTasksError, ProjectError
from kdtasks.core.processor import read_processor
from kdtasks.orchestrate.processes import free_disk_gb, memory_gb, usable_cores
from kdtasks.orchestrate.project.project import find_project, find_remote, reach_remote

Level = Literal["ok", "info", "warn", "fail"]
MEMORY_NEEDED_GB = 4.0
DISK_NEEDED_GB = 5.0


class Check(NamedTuple):
    """One line of the doctor's findings."""

    level: Level
    subject: str
    finding: str
    fix: str = ""


def examine(folder: Path) -> list[Check]:
    """Every check, of the installation first; `folder` is in the project, or in none."""
    checks = [*check_versions(), *check_environment(os.environ), check_git(), *check_machine()]
    try:
        project = find_project(folder)
    except ProjectError as error:
        return [*checks, check_disk(folder), Check("warn", "project", str(error))]
    checks += [check_disk(project), check_params(project), check_dvc(project)]
    return [*checks, check_remote(project)]


def render(checks: list[Check]) -> str:
    """The findings as text, one a line, fixes behind them."""
    width = max(len(check.subject) for check in checks)
    return "\n".join(
        f"{check.level:<4}  {check.subject:<{width}}  {check.finding}"
        + (f"; {check.fix}" if check.fix else "")
        for check in checks
    )


def check_versions(installed: Callable[[str], str] = metadata.version) -> list[Check]:
    """Python and every package that kdtasks names, against the bounds that kdtasks asks for.

    The bounds are those of the installed kdtasks: they are written down in pyproject.toml alone.
    """
    try:
        requirements = metadata.requires("kdtasks") or []
    except metadata.PackageNotFoundError:
        return [Check("fail", "kdtasks", "runs, but is not installed", "pip install it")]
    checks = [
        Check("ok", "kdtasks", installed("kdtasks")),
        _check_version(
            "python", platform.python_version(), _python_bounds(), fix="install one of these"
        ),
    ]
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:
        fix = "pip install 'kdtasks[pipeline]' to train"
        return [*checks, Check("info", "pipeline", "not installed (a device needs none)", fix)]
    for line in requirements:
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name == "kdtasks":
            continue
        is_base = marker is None or marker.evaluate({"extra": ""})
        if not is_base and not (marker and marker.evaluate({"extra": "pipeline"})):
            continue
        bounds = str(requirement.specifier)
        try:
            version = installed(requirement.name)
        except metadata.PackageNotFoundError:
            extra = "kdtasks" if is_base else "kdtasks[pipeline]"
            fix = f"pip install '{extra}'"
            level: Level = "fail" if is_base else "warn"
            checks.append(Check(level, requirement.name, "not installed", fix))
            continue
        fix = f"pip install '{requirement.name}{bounds}'"
        checks.append(_check_version(requirement.name, version, bounds, fix=fix))
    return checks


def _python_bounds() -> str:
    return metadata.metadata("kdtasks")["Requires-Python"] or ""


def _check_version(name: str, version: str, bounds: str, *, fix: str) -> Check:
    try:
        from packaging.specifiers import SpecifierSet
    except ModuleNotFoundError:
        return Check("ok", name, version)
    if SpecifierSet(bounds).contains(version, prereleases=True):
        return Check("ok", name, version)
    return Check("fail", name, f"{version}, kdtasks needs {bounds}", fix)


def check_environment(environment: Mapping[str, str]) -> list[Check]:
    """Variables that slow everything down."""
    found = []
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        finding = "set: imports take three times as long"
        found.append(
            Check("warn", "PYTHONDONTWRITEBYTECODE", finding, "unset PYTHONDONTWRITEBYTECODE")
        )
    return found or [Check("ok", "environment", "nothing that slows down or misleads")]


def check_git(find: Callable[[str], str | None] = shutil.which) -> Check:
    """Whether git is there: DVC's experiments and `kdtasks verify` need it."""
    path = find("git")
    if path:
        return Check("ok", "git", path)
    return Check("fail", "git", "not found", "install git and put it on PATH")


def check_machine() -> list[Check]:
    """Processor and memory."""
    processor = read_processor()
    memory = memory_gb()
    enough = memory >= MEMORY_NEEDED_GB
    return [
        Check("info", "processor", f"{processor.name} ({', '.join(processor.features) or '–'})"),
        Check("ok", "memory", f"{memory:.1f} GB")
        if enough
        else Check(
            "warn",
            "memory",
            f"{memory:.1f} GB, under {MEMORY_NEEDED_GB:g} GB",
            "lower train.memory_limit_mb and train.batch_size",
        ),
    ]


def check_disk(folder: Path) -> Check:
    """Free space where the project is."""
    free = free_disk_gb(folder)
    if free >= DISK_NEEDED_GB:
        return Check("ok", "disk", f"{free:.1f} GB free")
    fix = "free some, for instance with `dvc gc --workspace`"
    return Check("warn", "disk", f"{free:.1f} GB free, under {DISK_NEEDED_GB:g} GB", fix)


def check_params(project: Path, cores: int | None = None) -> Check:
    """Whether params.yaml is valid, and its threads against the cores there are."""
    try:
        from kdtasks.params import load_project_params

        params = load_project_params(project)
    except KdTasksError as error:
        return Check("fail", "params.yaml", str(error))
    except ModuleNotFoundError as error:
        fix = "pip install 'kdtasks[pipeline]'"
        return Check("warn", "params.yaml", f"not checked, {error.name} is missing", fix)
    threads, cores = params.runtime.threads, cores or usable_cores()
    finding = f"valid, recipe {params.recipe}, {threads} threads on {cores} cores"
    if threads <= cores:
        return Check("ok", "params.yaml", finding)
    fix = f"set runtime.threads to {cores} (results then differ in the last bits)"
    return Check("warn", "params.yaml", finding, fix)


def check_dvc(project: Path) -> Check:
    """Whether the project's folder is a DVC repository."""
    if (project / ".dvc").is_dir():
        return Check("ok", "DVC", f"repository in {project}")
    return Check("fail", "DVC", f"no repository in {project}", "run `dvc init` there")


def check_remote(project: Path, timeout_seconds: float = 15.0) -> Check:
    """Whether a default remote is configured, and answers."""
    name = find_remote(project)
    if name is None:
        fix = "`dvc remote add --default NAME URL` sets one to share artifacts"
        return Check("info", "remote", "no default remote is configured", fix)
    problem = reach_remote(project, timeout_seconds)
    if problem is None:
        return Check("ok", "remote", f"{name} answers")
    return Check(
        "fail", "remote", f"{name}: {problem}", "see `dvc remote list` and its credentials"
    )
