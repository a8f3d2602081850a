"""Check the installation, the machine and the project; every finding suggests a fix."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from kdtasks.core.errors import KdTasksError, ParamsError, ProjectError
from kdtasks.core.installed import refuse_other_code
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.processor import read_processor
from kdtasks.orchestrate.processes import (
    find_gpu,
    free_disk_gb,
    memory_gb,
    usable_cores,
    why_cold,
)
from kdtasks.orchestrate.project.project import find_project, find_remote, reach_remote
from kdtasks.orchestrate.project.torn_lock import TORN, is_torn

Level = Literal["ok", "info", "warn", "fail"]
MEMORY_NEEDED_GB = 4.0
DISK_NEEDED_GB = 5.0


class Finding(NamedTuple):
    """What one check has found: a line of the doctor's."""

    level: Level
    subject: str
    message: str
    fix: str = ""


def examine(folder: Path) -> list[Finding]:
    """Every check, of the installation first; `folder` is in the project, or in none."""
    findings = [*check_versions(), check_environment(os.environ), check_git(), *check_machine()]
    try:
        project = find_project(folder)
    except ProjectError as error:
        return [*findings, check_disk(folder), Finding("warn", "project", str(error))]
    checks = (check_disk, check_code, check_params, check_images, check_dvc, check_remote)
    return [*findings, *(check(project) for check in checks)]


def render(findings: list[Finding]) -> str:
    """The findings as text, one a line, fixes behind them."""
    width = max(len(finding.subject) for finding in findings)
    return "\n".join(
        f"{finding.level:<4}  {finding.subject:<{width}}  "
        + "; ".join(filter(None, (finding.message, finding.fix)))
        for finding in findings
    )


def check_versions(installed: Callable[[str], str] = metadata.version) -> list[Finding]:
    """Python and every package that kdtasks names, against the bounds that kdtasks asks for.

    The bounds are those of the installed kdtasks: they are written down in pyproject.toml alone.
    """
    try:
        requirements = metadata.requires("kdtasks") or []
    except metadata.PackageNotFoundError:
        return [Finding("fail", "kdtasks", "runs, but is not installed", "pip install it")]
    findings = [Finding("ok", "kdtasks", installed("kdtasks"))]
    python = ("python", platform.python_version())
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:
        fix = "pip install 'kdtasks[pipeline]' to train"
        missing = Finding("info", "pipeline", "not installed (a device needs none)", fix)
        return [*findings, Finding("ok", *python), missing]
    bounds = metadata.metadata("kdtasks")["Requires-Python"] or ""
    findings.append(_check_version(*python, bounds, fix="install one of these"))
    for requirement in map(Requirement, requirements):
        name, marker, bounds = requirement.name, requirement.marker, str(requirement.specifier)
        is_base = marker is None or marker.evaluate({"extra": ""})
        is_needed = is_base or (marker and marker.evaluate({"extra": "pipeline"}))
        if name == "kdtasks" or not is_needed:
            continue
        try:
            version = installed(name)
        except metadata.PackageNotFoundError:
            level: Level = "fail" if is_base else "warn"
            fix = f"pip install 'kdtasks{'' if is_base else '[pipeline]'}'"
            findings.append(Finding(level, name, "not installed", fix))
        else:
            fix = f"pip install '{name}{bounds}'"
            findings.append(_check_version(name, version, bounds, fix=fix))
    return findings


def _check_version(name: str, version: str, bounds: str, *, fix: str) -> Finding:
    from packaging.specifiers import SpecifierSet

    if SpecifierSet(bounds).contains(version, prereleases=True):
        return Finding("ok", name, version)
    return Finding("fail", name, f"{version}, kdtasks needs {bounds}", fix)


def check_environment(environment: Mapping[str, str]) -> Finding:
    """Variables that slow everything down."""
    name = "PYTHONDONTWRITEBYTECODE"
    if environment.get(name):
        return Finding("warn", name, "set: imports take three times as long", f"unset {name}")
    return Finding("ok", "environment", "nothing that slows down or misleads")


def check_git(find: Callable[[str], str | None] = shutil.which) -> Finding:
    """Whether git is there: DVC's experiments and `kdtasks verify` need it."""
    path = find("git")
    if path:
        return Finding("ok", "git", path)
    return Finding("fail", "git", "not found", "install git and put it on PATH")


def check_machine() -> list[Finding]:
    """Processor, how stages start, and memory."""
    processor = read_processor()
    features = ", ".join(processor.features) or "–"
    quick = "wide networks train faster here with runtime.precision: bfloat16"
    fix = "lower train.memory_limit_mb and train.batch_size"
    return [
        Finding(
            "info",
            "processor",
            f"{processor.name} ({features})",
            quick if processor.quick_bfloat16 else "",
        ),
        Finding(
            "info",
            "stages",
            f"import TensorFlow one by one: {why}"
            if (why := why_cold())
            else "fork from a process that has imported TensorFlow",
        ),
        check_gpu(),
        _check_room("memory", memory_gb(), MEMORY_NEEDED_GB, fix),
    ]


def check_gpu() -> Finding:
    """Whether TensorFlow sees this machine's GPU; it is asked only where there is one."""
    device = find_gpu()
    if device is None:
        return Finding("info", "gpu", "none; TensorFlow computes on the processor")
    ask = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    count = done.stdout.strip().rpartition("\n")[2]
    if done.returncode == 0 and count.isdigit() and count != "0":
        return Finding("ok", "gpu", f"TensorFlow sees {count} and computes there by default")
    fix = "pip install 'kdtasks[gpu]' brings NVIDIA's libraries"
    return Finding("warn", "gpu", f"{device} is there, and TensorFlow sees none", fix)


def check_disk(folder: Path) -> Finding:
    """Free space where the project is."""
    fix = "free some, for instance with `dvc gc --workspace`"
    return _check_room("disk", free_disk_gb(folder), DISK_NEEDED_GB, fix, word=" free")


def _check_room(subject: str, gigabytes: float, needed: float, fix: str, word: str = "") -> Finding:
    message = f"{gigabytes:.1f} GB{word}"
    if gigabytes >= needed:
        return Finding("ok", subject, message)
    return Finding("warn", subject, f"{message}, under {needed:g} GB", fix)


def check_code(project: Path) -> Finding:
    """Whether the project's results are filed under the code that runs."""
    try:
        refuse_other_code(project)
    except KdTasksError as error:
        message, _, fix = str(error).partition("; ")
        return Finding("fail", "code", message, fix)
    return Finding("ok", "code", "what runs is what DVC watches")


def check_params(project: Path, cores: int | None = None) -> Finding:
    """Whether params.yaml is valid, and its threads against the cores there are."""
    try:
        from kdtasks.params import load_project_params

        params = load_project_params(project)
    except KdTasksError as error:
        return Finding("fail", "params.yaml", str(error))
    except ModuleNotFoundError as error:
        fix = "pip install 'kdtasks[pipeline]'"
        return Finding("warn", "params.yaml", f"not checked, {error.name} is missing", fix)
    threads, cores = params.runtime.threads, cores or usable_cores()
    message = f"valid, recipe {params.recipe}, {threads} threads on {cores} cores"
    if threads <= cores:
        return Finding("ok", "params.yaml", message)
    fix = f"set runtime.threads to {cores} (results then differ in the last bits)"
    return Finding("warn", "params.yaml", message, fix)


def check_images(project: Path) -> Finding:
    """Whether links among the images lead somewhere, and DVC looks into linked folders."""
    try:
        from kdtasks.data.folders import broken_links
        from kdtasks.data.links import unlisted_links
        from kdtasks.params import load_project_params

        params = load_project_params(project)
        data = params.data
        folders = [data.path, data.unlabelled]
        watched = [*folders, *params.evaluate.slices.folders.values()]
        broken = [link for name in watched for link in broken_links(project / name)]
        unlisted = unlisted_links(ProjectPaths(project).pipeline, folders)
    except ParamsError:
        return Finding("info", "images", "not checked, since params.yaml is not valid")
    except (KdTasksError, OSError, ModuleNotFoundError) as error:
        return Finding("info", "images", f"not checked: {error}")
    if broken:
        fix = "mount its disk, or remove the link"
        return Finding("fail", "images", f"{broken[0]} leads to nothing", fix)
    if unlisted:
        fix = "`kdtasks links` lists it"
        return Finding("fail", "images", f"{unlisted[0]} is a link that DVC does not watch", fix)
    return Finding("ok", "images", f"in {data.path}, links lead somewhere and are watched")


def check_dvc(project: Path) -> Finding:
    """Whether the project's folder is a DVC repository, whose list of locks is whole."""
    if is_torn(project / TORN.parent):
        fix = f"`kdtasks run` removes it; for `dvc repro`, remove {TORN}"
        return Finding("fail", "DVC", f"{TORN} was cut short by a kill", fix)
    if (project / ".dvc").is_dir():
        return Finding("ok", "DVC", f"repository in {project}")
    return Finding("fail", "DVC", f"no repository in {project}", "run `dvc init` there")


def check_remote(project: Path, timeout_seconds: float = 15.0) -> Finding:
    """Whether a default remote is configured, and answers."""
    name = find_remote(project)
    if name is None:
        fix = "`dvc remote add --default NAME URL` sets one to share artifacts"
        return Finding("info", "remote", "no default remote is configured", fix)
    problem = reach_remote(project, timeout_seconds)
    if problem is None:
        return Finding("ok", "remote", f"{name} answers")
    fix = "see `dvc remote list` and its credentials"
    return Finding("fail", "remote", f"{name}: {problem}", fix)
