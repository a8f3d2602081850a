"""The commands of the model store."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

# kdtasks.deploy.store is imported inside the functions, as everywhere on the command line.

keys_app = typer.Typer(help="Keys that models are signed and verified with.")

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="KDTASKS_STORE",
        metavar="ADDRESS",
        help="s3://bucket/prefix, file:///folder or the path of a folder; without it "
        "store.address of params.yaml.",
    ),
]

SigningOption = Annotated[
    str | None,
    typer.Option(
        "--signing-key",
        envvar="KDTASKS_SIGNING_KEY",
        metavar="PEM",
        help="Private Ed25519 key to sign with: a file, or the text itself.",
    ),
]

PublicOption = Annotated[
    str | None,
    typer.Option(
        "--public-key",
        envvar="KDTASKS_PUBLIC_KEY",
        metavar="PEM",
        help="Public keys of all who may sign, a file or the text; nothing else is accepted then.",
    ),
]

AliasOption = Annotated[str, typer.Option("--alias", metavar="ALIAS", help="Such as production.")]


def register(app: typer.Typer) -> None:
    """Add the store's commands to the command line."""
    for command in (publish, pull, models, promote, rollback, gc):
        app.command()(command)
    app.add_typer(keys_app, name="keys", no_args_is_help=True)


def publish(
    bundle: Annotated[
        Path, typer.Argument(help="Folder of a bundle such as bundles/int8, .kdz file or .tflite.")
    ],
    store: StoreOption = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the model; without it the bundle's own.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option("--alias", metavar="ALIAS", help="Move this alias to it, too.")
    ] = None,
    signing_key: SigningOption = None,
) -> None:
    """Publish a bundle as the next version of a model."""
    from dataclasses import replace

    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.bundle import as_folder, publish_bundle
    from kdtasks.deploy.store.describe import moved_line, published_line
    from kdtasks.deploy.store.progress import show_progress
    from kdtasks.deploy.store.promotion import advance, find_own_alias
    from kdtasks.deploy.store.publish import read_folder
    from kdtasks.deploy.store.signing import load_signing_key
    from kdtasks.edge.bundle_files import open_bundle
    from kdtasks.orchestrate.project.origin import find_origin
    from kdtasks.orchestrate.project.project import find_address

    with _interruptible("publishing again goes on from here"), as_folder(bundle) as folder:
        manifest = open_bundle(folder)
        objects = open_objects(find_address(store))
        objects.check_conditions()
        files = read_folder(folder)
        found = find_origin(folder)
        key = load_signing_key(signing_key)
        if alias:
            find_own_alias(objects, name or manifest.name, alias, key)
        if found:
            manifest = replace(manifest, provenance=found.provenance)
        with show_progress("uploading") as progress:
            published = publish_bundle(
                objects,
                folder,
                manifest,
                files,
                name=name or manifest.name,
                signing_key=key,
                progress=progress,
            )
        typer.echo(published_line(published))
        if alias:
            moved = advance(objects, published.found, alias, signing_key=key)
            typer.echo(moved_line(moved))


def pull(
    model: Annotated[str, typer.Argument(metavar="NAME[@ALIAS|@VERSION]", help="What to pull.")],
    store: StoreOption = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder to put it in; without it the cache's own is printed."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take it from the cache, ask nobody.")
    ] = False,
    public_key: PublicOption = None,
) -> None:
    """Pull a version, verify it, and print the folder that holds it."""
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.address import parse_reference
    from kdtasks.deploy.store.cache import Cache, default_cache
    from kdtasks.deploy.store.describe import pulled_line
    from kdtasks.deploy.store.progress import show_progress
    from kdtasks.deploy.store.pull import Puller
    from kdtasks.deploy.store.signing import load_public_keys
    from kdtasks.orchestrate.project.project import find_address

    with _interruptible("the same command goes on from here"):
        reference = parse_reference(model)
        objects = open_objects(find_address(store))
        trusted = load_public_keys(public_key)
        with show_progress("downloading") as progress:
            puller = Puller(
                objects=objects,
                cache=Cache(default_cache()),
                trusted=trusted,
                progress=progress,
            )
            pulled = puller.pull(reference, target=to, is_offline=offline)
        if pulled.unreachable and not offline:
            typer.echo(f"warning: {pulled.unreachable}; the cache serves meanwhile", err=True)
        typer.echo(pulled_line(pulled), err=True)
        typer.echo(str(pulled.folder))


def models(
    name: Annotated[
        str | None, typer.Argument(help="List the versions of this model; none lists models.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """List models, or the versions of one."""
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.catalogue import fetch_versions, list_models
    from kdtasks.deploy.store.describe import models_table, versions_table
    from kdtasks.orchestrate.project.project import find_address

    with _interruptible("nothing was changed"):
        objects = open_objects(find_address(store))
        found = list_models(objects, name)
        if name is None:
            typer.echo(models_table(found) if found else "no models yet; kdtasks publish adds one")
        else:
            wanted = [(name, number) for number in found[0].versions]
            manifests = fetch_versions(objects, wanted)
            typer.echo(versions_table(found[0], manifests))


def promote(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int, typer.Argument(help="Number of the version.", min=1)],
    alias: AliasOption,
    store: StoreOption = None,
    signing_key: SigningOption = None,
    public_key: PublicOption = None,
) -> None:
    """Make an alias stand for a version."""
    from kdtasks.deploy.store.promotion import promote

    _move(promote, name, version, alias, store=store, key=signing_key, trusted=public_key)


def rollback(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    alias: AliasOption,
    store: StoreOption = None,
    signing_key: SigningOption = None,
    public_key: PublicOption = None,
) -> None:
    """Make an alias stand for the version that it stood for before."""
    from kdtasks.deploy.store.promotion import rollback

    _move(rollback, name, alias, store=store, key=signing_key, trusted=public_key)


def _move(
    move: Callable[..., Any],
    name: str,
    *to: int | str,
    store: str | None,
    key: str | None,
    trusted: str | None,
) -> None:
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.describe import moved_line
    from kdtasks.deploy.store.signing import load_public_keys, load_signing_key
    from kdtasks.orchestrate.project.project import find_address

    with _interruptible(f"look at kdtasks models {name}"):
        objects, keys = open_objects(find_address(store)), load_public_keys(trusted)
        moved = move(objects, name, *to, signing_key=load_signing_key(key), trusted=keys)
        typer.echo(moved_line(moved))


def gc(
    store: StoreOption = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="Newest versions of each model that stay."),
    ] = None,
    grace_hours: Annotated[
        float,
        typer.Option(
            "--grace-hours",
            min=0.0,
            help="What is younger stays; less than 24 only while nobody publishes.",
        ),
    ] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing.")] = False,
) -> None:
    """Delete old versions that no alias needs, and contents that no version names."""
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.catalogue import collect
    from kdtasks.deploy.store.describe import collected_lines
    from kdtasks.orchestrate.project.project import find_address, versions_kept

    with _interruptible("the next gc goes on"):
        collected = collect(
            open_objects(find_address(store)),
            keep=versions_kept(keep),
            grace=timedelta(hours=grace_hours),
            is_dry=dry_run,
        )
        typer.echo(collected_lines(collected, is_dry=dry_run))


@keys_app.command("new")
def new_keys(
    path: Annotated[
        Path, typer.Argument(help="File of the private key; the public one goes beside it.")
    ] = Path("kdtasks-key.pem"),
) -> None:
    """Make a pair of keys: NAME.pem to sign with, NAME.pub.pem for devices."""
    from kdtasks.deploy.store.signing import write_new_keys

    public_path, identity = write_new_keys(path)
    typer.echo(f"key {identity}: {path} signs, keep it secret; {public_path} is for devices")


@contextlib.contextmanager
def _interruptible(after: str) -> Iterator[None]:
    """End Ctrl-C with one line and the status that shells give it."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"stopped; {after}", err=True)
        raise typer.Exit(130) from None
