"""What the store's commands print."""

from collections.abc import Sequence
from datetime import UTC

from rich.filesize import decimal

from kdtasks.core.text import quantity
from kdtasks.deploy.store.catalogue import CollectResult, ModelEntry
from kdtasks.deploy.store.promotion import AliasChange
from kdtasks.deploy.store.publish import PublishResult
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.records import FoundVersion
from kdtasks.deploy.store.signing import signer_of


def models_table(models: Sequence[ModelEntry]) -> str:
    """One line a model: its newest version and its aliases."""
    rows = [("model", "newest", "versions", "aliases")]
    for model in models:
        aliases = [f"{word}={found.alias.version}" for word, found in model.aliases.items()]
        newest = str(max(model.versions))
        rows.append((model.name, newest, str(len(model.versions)), " ".join(aliases)))
    return _table(rows)


def versions_table(model: ModelEntry, versions: dict[tuple[str, int], FoundVersion]) -> str:
    """One line a version of a model, the newest first."""
    rows = [("version", "published", "size", "variant", "signed with", "aliases")]
    for (_, number), (version, manifest) in sorted(versions.items(), reverse=True):
        created = f"{version.created.astimezone(UTC):%Y-%m-%d %H:%M}"
        variant, signer = version.about.get("variant", ""), signer_of(manifest) or ""
        aliases = " ".join(model.aliases_of(number))
        rows.append((str(number), created, decimal(version.size), variant, signer, aliases))
    return _table(rows)


def published_line(published: PublishResult) -> str:
    """What came of `publish`."""
    version = published.found.version
    what = f"{version.name} version {version.number}"
    files = f"{quantity(len(version.files), 'file')}, {decimal(version.size)}"
    if not published.is_new:
        return f"unchanged: {what} has these files already ({files})"
    return f"published {what} ({files}; {decimal(published.uploaded)} uploaded)"


def moved_line(moved: AliasChange) -> str:
    """What came of moving an alias."""
    alias = moved.alias
    what = f"{alias.name}@{alias.alias}"
    if moved.before == alias.version:
        line = f"{what} is at version {alias.version}"
    elif moved.before is None:
        line = f"{what} is set to version {alias.version}"
    else:
        line = f"{what} is moved from version {moved.before} to {alias.version}"
    if alias.expires:
        line += f", and expires at {alias.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if moved.lacks_signature:
        line += "; the version is signed and the alias is not, so that devices with a key refuse "
        line += f"it: kdtasks promote {alias.name} {alias.version} --alias {alias.alias} with "
        line += "--signing-key or KDTASKS_SIGNING_KEY signs it"
    return line


def pulled_line(pulled: PullResult) -> str:
    """What came of `pull`."""
    version = pulled.version
    what = f"{version.name} version {version.number}"
    done = f"{decimal(pulled.downloaded)} downloaded" if pulled.is_changed else "unchanged"
    return f"{what} ({decimal(version.size)}; {done})"


def collected_lines(collected: CollectResult, *, is_dry: bool) -> str:
    """What came of `gc`."""
    verb = "would delete" if is_dry else "deleted"
    lines = [f"{verb} {name} version {number}" for name, number in collected.versions]
    summary = f"{quantity(len(collected.versions), 'version')}, "
    summary += f"{quantity(collected.blobs, 'content')} of {decimal(collected.bytes)}"
    if collected.leftovers:
        summary += f", {quantity(collected.leftovers, 'interrupted upload')}"
    return "\n".join([*lines, f"{verb} {summary}"])


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
