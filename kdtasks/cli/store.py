"""The commands of the model store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer import Argument, Option

from kdtasks.cli.options import (
    AliasOption,
    BundleArgument,
    DryRunOption,
    ExpiresOption,
    JsonOption,
    ModelArgument,
    NameOption,
    OptionalAliasOption,
    OptionalModelArgument,
    PublicOption,
    ReferenceArgument,
    SigningOption,
    StoreOption,
)
from kdtasks.cli.output import interruptible, print_json, print_result
from kdtasks.core import JsonObject

if TYPE_CHECKING:
    from kdtasks.deploy.store.objects import Objects
    from kdtasks.deploy.store.records import Version

# kdtasks.deploy.store is imported inside the functions, as everywhere on the command line.

app = typer.Typer()
keys_app = typer.Typer(help="Keys that models are signed and verified with.")
app.add_typer(keys_app, name="keys", no_args_is_help=True)


def open_store(address: str | None) -> "Objects":
    """Open the store at an address, or without one that of the project."""
    from kdtasks.deploy.store import open_objects
    from kdtasks.orchestrate.project.project import find_address

    return open_objects(find_address(address))


@app.command()
@interruptible("publishing again resumes from here")
def publish(
    bundle: BundleArgument,
    store: StoreOption = None,
    name: NameOption = None,
    alias: OptionalAliasOption = None,
    signing_key: SigningOption = None,
    expires: ExpiresOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a bundle as the next version of a model, and move an alias to it if one is given."""
    from kdtasks.core.errors import StoreError
    from kdtasks.deploy.store.describe import moved_line, published_line
    from kdtasks.deploy.store.progress import show_progress
    from kdtasks.deploy.store.promotion import AliasMover
    from kdtasks.deploy.store.publish import (
        about_bundle,
        as_folder,
        publish,
        read_folder,
        with_texts,
    )
    from kdtasks.deploy.store.signing import load_signing_key
    from kdtasks.edge.bundle_files import open_bundle
    from kdtasks.orchestrate.project.origin import find_origin, shipped_texts

    if expires is not None and not alias:
        raise StoreError("--expires is of an alias; give one with --alias")
    with as_folder(bundle) as folder:
        manifest = open_bundle(folder)
        objects = open_store(store)
        objects.check_conditions()
        files = read_folder(folder)
        origin = find_origin(folder)
        key = load_signing_key(signing_key)
        name = name or manifest.name
        lifetime = _lifetime(expires)
        mover = AliasMover(objects, name, alias, key, lifetime=lifetime) if alias else None
        if mover:
            mover.current()  # says early that it may not be moved
        if origin:
            manifest = replace(manifest, provenance=origin.provenance)
        about = about_bundle(folder, manifest, files)
        texts = shipped_texts(files, manifest, origin)
        with with_texts(files, texts) as shipped, show_progress("uploading") as progress:
            published = publish(
                objects, shipped, name=name, about=about, signing_key=key, progress=progress
            )
        content = {**_about(published.found.version), "is_new": published.is_new, "alias": alias}
        if not as_json:
            typer.echo(published_line(published))  # before the alias is moved, which may fail
        moved = moved_line(mover.advance(published.found)) if mover else ""
        if as_json or moved:
            print_result({**content, "uploaded": published.uploaded}, moved, as_json=as_json)


@app.command()
@interruptible("the same command resumes from here")
def pull(
    model: ReferenceArgument,
    store: StoreOption = None,
    to: Annotated[Path | None, Option(help="Folder to put it in, other than the cache's.")] = None,
    offline: Annotated[bool, Option("--offline", help="Ask the cache alone.")] = False,
    public_key: PublicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull a version, verify it, and print the folder that holds it."""
    from kdtasks.deploy.store.address import parse_reference
    from kdtasks.deploy.store.cache import Cache, default_cache
    from kdtasks.deploy.store.describe import pulled_line
    from kdtasks.deploy.store.progress import show_progress
    from kdtasks.deploy.store.pull import Puller
    from kdtasks.deploy.store.signing import load_public_keys

    reference, trusted = parse_reference(model), load_public_keys(public_key)
    objects, cache = open_store(store), Cache(default_cache())
    with show_progress("downloading") as progress:
        puller = Puller(objects=objects, cache=cache, trusted=trusted, progress=progress)
        pulled = puller.pull(reference, target=to, is_offline=offline)
    if pulled.unreachable and not offline:
        typer.echo(f"warning: {pulled.unreachable}; the cache serves meanwhile", err=True)
    typer.echo(pulled_line(pulled), err=True)
    content = {**_about(pulled.version), "folder": pulled.folder, "downloaded": pulled.downloaded}
    print_result(content, str(pulled.folder), as_json=as_json)


@app.command()
@interruptible("nothing was changed")
def models(
    name: OptionalModelArgument = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """List models, or the versions of one."""
    from kdtasks.deploy.store.catalogue import fetch_versions, list_models
    from kdtasks.deploy.store.describe import models_table, versions_table

    objects = open_store(store)
    entries = list_models(objects, name)
    if as_json:
        print_json(
            {
                model.name: {
                    "versions": list(model.versions),
                    "aliases": {word: alias.alias.version for word, alias in model.aliases.items()},
                }
                for model in entries
            }
        )
    elif name is None:
        typer.echo(models_table(entries) if entries else "no models yet; kdtasks publish adds one")
    else:
        typer.echo(versions_table(entries[0], fetch_versions(objects, entries)))


@app.command()
def promote(
    name: ModelArgument,
    version: Annotated[int, Argument(help="Number of the version.", min=1)],
    alias: AliasOption,
    store: StoreOption = None,
    signing_key: SigningOption = None,
    public_key: PublicOption = None,
    expires: ExpiresOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an alias stand for a version; with --expires it is renewed where it stands."""
    given = _Given(store, signing_key, public_key, expires)
    _move(lambda mover: mover.promote(version), name, alias, given, as_json=as_json)


@app.command()
def rollback(
    name: ModelArgument,
    alias: AliasOption,
    store: StoreOption = None,
    signing_key: SigningOption = None,
    public_key: PublicOption = None,
    expires: ExpiresOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an alias stand for the version that it stood for before."""
    given = _Given(store, signing_key, public_key, expires)
    _move(lambda mover: mover.rollback(), name, alias, given, as_json=as_json)


class _Given(NamedTuple):
    """What was given of the store and of keys."""

    store: str | None
    signing: str | None
    trusted: str | None
    expires: float | None


def _move(
    move: Callable[[Any], Any], name: str, alias: str, given: _Given, *, as_json: bool
) -> None:
    from kdtasks.deploy.store.describe import moved_line
    from kdtasks.deploy.store.promotion import AliasMover
    from kdtasks.deploy.store.signing import load_public_keys, load_signing_key

    with interruptible(f"look at kdtasks models {name}"):
        objects, keys = open_store(given.store), load_public_keys(given.trusted)
        signing, lifetime = load_signing_key(given.signing), _lifetime(given.expires)
        moved = move(AliasMover(objects, name, alias, signing, keys, lifetime=lifetime))
        number = moved.alias.version
        content = {"model": name, "alias": alias, "version": number, "before": moved.before}
        print_result(content, moved_line(moved), as_json=as_json)


def _about(version: "Version") -> JsonObject:
    return {"model": version.name, "version": version.number, "bytes": version.size}


def _lifetime(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


@app.command()
@interruptible("the next gc resumes")
def gc(
    store: StoreOption = None,
    keep: Annotated[int | None, Option(min=1, help="Newest versions of each model.")] = None,
    grace_hours: Annotated[
        float, Option(min=0.0, help="What is younger stays; below 24 only if nobody publishes.")
    ] = 24.0,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete old versions that no alias needs, and contents that no version names."""
    from kdtasks.deploy.store.catalogue import collect
    from kdtasks.deploy.store.describe import collected_lines
    from kdtasks.orchestrate.project.project import versions_kept

    collected = collect(
        open_store(store),
        keep=versions_kept(keep),
        grace=timedelta(hours=grace_hours),
        is_dry=dry_run,
    )
    text = collected_lines(collected, is_dry=dry_run)
    print_result({**collected._asdict(), "is_dry": dry_run}, text, as_json=as_json)


@keys_app.command("rotate")
@interruptible("look whether devices follow the new key, and rotate again if not")
def rotate_keys(
    to: Annotated[str, Option("--to", metavar="PEM", help="Public key of the successor.")],
    store: StoreOption = None,
    signing_key: SigningOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a key be succeeded by another: devices that trust the old one trust only that then."""
    from kdtasks.core.errors import StoreError
    from kdtasks.deploy.store.catalogue import list_models
    from kdtasks.deploy.store.rotation import rotate
    from kdtasks.deploy.store.signing import load_public_keys, load_signing_key, signer_of

    old, successors = load_signing_key(signing_key), load_public_keys(to)
    if old is None or len(successors) != 1:
        raise StoreError("rotation takes the old private key, --signing-key, and one public, --to")
    objects = open_store(store)
    objects.check_conditions()
    rotate(objects, old, successors[0])
    commands = [
        f"kdtasks promote {model.name} {found.alias.version} --alias {alias}"
        for model in list_models(objects)
        for alias, found in model.aliases.items()
        if signer_of(found.record.data) == old.public.identity
    ]
    lines = [f"key {old.public.identity} is succeeded by {successors[0].identity}"]
    lines += [f"sign with the new key: {command}" for command in commands]
    content = {"key": old.public.identity, "successor": successors[0].identity, "next": commands}
    print_result(content, "\n".join(lines), as_json=as_json)


@keys_app.command("new")
def new_keys(
    path: Annotated[Path, Argument(help="File of the private key.")] = Path("kdtasks-key.pem"),
    as_json: JsonOption = False,
) -> None:
    """Make a pair of keys: NAME.pem to sign with, NAME.pub.pem for devices."""
    from kdtasks.deploy.store.signing import write_new_keys

    public_path, identity = write_new_keys(path)
    content = {"key": identity, "private": path, "public": public_path}
    text = f"key {identity}: {path} signs, keep it secret; {public_path} is for devices"
    print_result(content, text, as_json=as_json)
