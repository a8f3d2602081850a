"""Why DVC would run a stage, in words."""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dvc.dependency import ParamsDependency

if TYPE_CHECKING:
    from dvc.stage import Stage

_OF_STAGES = {
    "changed command": "its command has changed",
    "changed checksum": "its file has changed",
    "always changed": "it always runs",
}
_OF_DEPENDENCIES = {
    "modified": "{} has changed",
    "deleted": "{} is missing",
    "new": "{} is new",
}
_OF_OUTPUTS = {
    "modified": "its output {} has changed",
    "deleted": "its output {} is missing",
    "not in cache": "its output {} is not in the cache",
    "new": "its output {} was never recorded",
}


def reasons(
    stages: "Mapping[str, Stage]",
    needs: "Mapping[str, Sequence[Stage]]",
    unchanged: Container[str],
    *,
    force: bool,
) -> dict[str, tuple[str, ...]]:
    """Say of every stage, of those that it needs first, why it would run.

    Args:
        needs: the stages that each needs.
        unchanged: those that would not run; they get no reason.
        force: whether all run anyhow.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, stage in stages.items():
        if name in unchanged:
            found[name] = ()
            continue
        own = ["--force"] if force else why_changed(stage) if stage.changed() else []
        needed = [each.addressing for each in needs[name] if found[each.addressing]]
        found[name] = *own, *(f"it needs {need}" for need in needed)
    return found


def why_changed(stage: "Stage") -> list[str]:
    """Name what has changed since a stage ran, of a stage that DVC would run.

    Raises:
        DvcException: a file cannot be read.
    """
    if stage.is_callback:
        return ["it always runs, as it has no dependencies"]
    if not any(each.hash_info for each in (*stage.deps, *stage.outs)):
        return ["it has not run yet"]
    status: list[Any] = stage.status().get(stage.addressing, [])
    return [reason for entry in status for reason in _in_words(stage, entry)]


def _in_words(stage: "Stage", entry: str | Mapping[str, Any]) -> Iterator[str]:
    if isinstance(entry, str):
        yield _OF_STAGES.get(entry, entry)
        return
    for file, how in entry.get("changed deps", {}).items():
        if isinstance(how, dict):
            yield from _params(stage, file, how)
        else:
            yield _OF_DEPENDENCIES.get(how, f"{{}} is {how}").format(file)
    for file, how in entry.get("changed outs", {}).items():
        yield _OF_OUTPUTS.get(how, f"its output {{}} is {how}").format(file)


def _params(stage: "Stage", file: str, changes: Mapping[str, str]) -> Iterator[str]:
    """Give old and new values, such as `distill.alpha is 0.3, was 0.5`."""
    for dependency in stage.deps:
        if isinstance(dependency, ParamsDependency) and str(dependency) == file:
            old, new = dependency.hash_info.value or {}, dependency.read_params()
            for key, how in changes.items():
                if how == "deleted":
                    yield f"{key} is gone from {file}"
                else:
                    was = f", was {old[key]!r}" if key in old else ", which is new"
                    yield f"{key} is {new.get(key)!r}{was}"
