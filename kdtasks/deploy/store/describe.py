"""What the store's commands print."""

from collections.abc import Sequence
from datetime import UTC

from kdtasks.deploy.store.catalogue import Collected, Model
from kdtasks.deploy.store.promotion import Moved
from kdtasks.deploy.store.publish import Published
from kdtasks.deploy.store.pull import Pulled
from kdtasks.deploy.store.signing import signer_of
from kdtasks.deploy.store.version import FoundVersion


def models_table(models: Sequence[Model]) -> str:
    """One line a model: its newest version and its aliases."""
    rows = [("model", "newest", "versions", "aliases")]
    for model in models:
        aliases = [f"{word}={found.alias.version}" for word, found in model.aliases.items()]
        newest = str(max(model.versions))
        rows.append((model.name, newest, str(len(model.versions)), " ".join(aliases)))
    return _table(rows)


def versions_table(model: Model, found: dict[tuple[str, int], FoundVersion]) -> str:
    """One line a version of a model, the newest first."""
    rows = [("version", "published", "size", "variant", "signed with", "aliases")]
    for number in sorted(model.versions, reverse=True):
        if (model.name, number) in found:
            version, manifest = found[model.name, number]
            rows.append(
                (
                    str(number),
                    f"{version.created.astimezone(UTC):%Y-%m-%d %H:%M}",
                    size(version.size),
                    version.about.get("variant", ""),
                    signer_of(manifest) or "",
                    " ".join(model.aliases_of(number)),
                )
            )
    return _table(rows)


def published_line(published: Published) -> str:
    """What came of `publish`."""
    version = published.found.version
    what = f"{version.name} version {version.number}"
    files = f"{len(version.files)} file{'s' * (len(version.files) != 1)}, {size(version.size)}"
    if not published.is_new:
        return f"unchanged: {what} has these files already ({files})"
    return f"published {what} ({files}; {size(published.uploaded)} uploaded)"


def moved_line(moved: Moved) -> str:
    """What came of moving an alias."""
    alias = moved.alias
    what = f"{alias.name}@{alias.alias}"
    unsigned = (
        "; the version is signed and the alias is not, so that devices with a key refuse it: "
        f"kdtasks promote {alias.name} {alias.version} --alias {alias.alias} with --signing-key "
        "or KDTASKS_SIGNING_KEY signs it"
        if moved.lacks_signature
        else ""
    )
    if moved.before == alias.version:
        return f"{what} is at version {alias.version}{unsigned}"
    if moved.before is None:
        return f"{what} is set to version {alias.version}{unsigned}"
    return f"{what} is moved from version {moved.before} to {alias.version}{unsigned}"


def pulled_line(pulled: Pulled) -> str:
    """What came of `pull`."""
    version = pulled.version
    what = f"{version.name} version {version.number}"
    done = f"{size(pulled.downloaded)} downloaded" if pulled.is_changed else "unchanged"
    return f"{what} ({size(version.size)}; {done})"


def collected_lines(collected: Collected, *, is_dry: bool) -> str:
    """What came of `gc`."""
    verb = "would delete" if is_dry else "deleted"
    lines = [f"{verb} {name} version {number}" for name, number in collected.versions]
    left = f", {collected.leftovers} broken-off uploads" if collected.leftovers else ""
    lines.append(
        f"{verb} {len(collected.versions)} versions, {collected.blobs} contents of "
        f"{size(collected.bytes)}{left}"
    )
    return "\n".join(lines)


def size(count: int) -> str:
    """A number of bytes for people: `24.1 kB`."""
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= power:
            return f"{count / power:,.1f} {unit}"
    return f"{count} B"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
