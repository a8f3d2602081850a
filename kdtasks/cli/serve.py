"""The commands that answer images: a server, agents, a fleet."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from kdtasks.cli import completion
from kdtasks.cli.options import IMAGES_HELP, AliasOption, BundleArgument, PublicOption, StoreOption
from kdtasks.cli.store import open_store
from kdtasks.core.errors import ServingError

# kdtasks is imported inside the functions, as everywhere on the command line.

app = typer.Typer()

_NEEDED = ("starlette", "uvicorn", "prometheus_client", "PIL")
ModelOption = Annotated[str, Option(metavar="NAME", autocompletion=completion.models)]
HostOption = Annotated[str, Option(help="Address to listen on; 0.0.0.0 for all.")]
PortOption = Annotated[int, Option(min=0, max=65535, help="0 for any that is free.")]
ThreadsOption = Annotated[int, Option(min=1, help="Images in flight, one interpreter each.")]
MegabytesOption = Annotated[float, Option(min=0.001, help="Largest body in MB (1e6 bytes).")]
PixelsOption = Annotated[
    int, Option(min=1, help="Images of more pixels are refused; one takes four to ten bytes.")
]
IntervalOption = Annotated[float, Option(min=0.1, help="Seconds between two polls of the alias.")]
TelemetryOption = Annotated[
    float, Option(min=0.1, help="Seconds between two batches, which kill -9 can cost.")
]


@app.command()
def serve(
    bundle: BundleArgument,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    threads: ThreadsOption = 2,
    max_mb: MegabytesOption = 10.0,
    max_pixels: PixelsOption = 50_000_000,
) -> None:
    """Answer images over HTTP, with a page to drop some on."""
    _check_installed()

    from kdtasks.deploy.serve.application import make_application
    from kdtasks.deploy.serve.server import Server
    from kdtasks.deploy.serve.service import Service, load_release
    from kdtasks.edge.decoder import quiet_decoding

    release = load_release(bundle, threads=threads)
    service = Service(release, threads=threads, max_pixels=max_pixels)
    application = make_application(service, max_bytes=int(max_mb * 1e6))
    server = Server(application, host=host, port=port)
    typer.echo(f"{bundle} answers at http://{_in_url(host)}:{server.port}/", err=True)
    with quiet_decoding():
        server.run()
        service.close()


@app.command()
def agent(
    model: ModelOption,
    alias: AliasOption = "production",
    store: StoreOption = None,
    public_key: PublicOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    threads: ThreadsOption = 2,
    max_mb: MegabytesOption = 10.0,
    max_pixels: PixelsOption = 50_000_000,
    interval: IntervalOption = 60.0,
    telemetry_interval: TelemetryOption = 60.0,
    state: Annotated[
        Path | None, Option(help="Folder; else KDTASKS_STATE, XDG_STATE_HOME or ~/.local/state.")
    ] = None,
    device: Annotated[str | None, Option(help="Name in telemetry; else the machine's.")] = None,
) -> None:
    """Serve what an alias stands for, follow it, and send telemetry to the store."""
    _check_installed()

    import logging

    from kdtasks.deploy.agent.device import Device
    from kdtasks.deploy.agent.settings import DeviceSettings, default_state, own_name
    from kdtasks.deploy.store.address import Reference, check_alias, check_name
    from kdtasks.deploy.store.cache import default_cache
    from kdtasks.deploy.store.signing import load_public_keys
    from kdtasks.edge.decoder import quiet_decoding

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    settings = DeviceSettings(
        reference=Reference(check_name(model), check_alias(alias)),
        state=state or default_state(model),
        cache=default_cache(),
        device=device or own_name(),
        trusted=load_public_keys(public_key),
        host=host,
        port=port,
        threads=threads,
        max_bytes=int(max_mb * 1e6),
        max_pixels=max_pixels,
        interval=interval,
        telemetry_interval=telemetry_interval,
    )
    with quiet_decoding(), Device(open_store(store), settings) as running:
        logging.info("%s listens at http://%s:%d/", model, _in_url(host), running.server.port)
        running.server.run()


@app.command()
def fleet(
    model: ModelOption,
    devices: Annotated[int, Option(min=1, help="How many.")] = 20,
    alias: AliasOption = "production",
    store: StoreOption = None,
    public_key: PublicOption = None,
    images: Annotated[list[str] | None, Option(help=f"To send in turn. {IMAGES_HELP}")] = None,
    rate: Annotated[float, Option(min=0.01, help="Images/s, over all devices.")] = 20.0,
    port: Annotated[int, Option(min=0, max=65000, help="Of the first device; 0 for any.")] = 0,
    interval: IntervalOption = 10.0,
    telemetry_interval: TelemetryOption = 10.0,
    seconds: Annotated[float | None, Option(min=0.0, help="End then; else at Ctrl-C.")] = None,
    folder: Annotated[Path | None, Option(help="Keep the devices' folders here.")] = None,
) -> None:
    """Run many agents in one process, to try a model, a store or a roll-out."""
    _check_installed()

    import tempfile

    from kdtasks.cli.images import require_images
    from kdtasks.deploy.agent.fleet import running_fleet, watch
    from kdtasks.deploy.agent.settings import DeviceSettings
    from kdtasks.deploy.store.address import Reference, check_alias, check_name
    from kdtasks.deploy.store.signing import load_public_keys
    from kdtasks.edge.decoder import quiet_decoding

    files = list(require_images(images or ()))
    with tempfile.TemporaryDirectory(prefix="kdtasks-fleet-") as scratch:
        state = folder or Path(scratch)
        settings = DeviceSettings(
            reference=Reference(check_name(model), check_alias(alias)),
            state=state,
            cache=state,
            device="device",
            trusted=load_public_keys(public_key),
            port=port,
            threads=1,
            interval=interval,
            telemetry_interval=telemetry_interval,
        )
        with (
            quiet_decoding(),
            running_fleet(open_store(store), settings, devices, state) as running,
        ):
            watch(running, files, host=settings.host, rate=rate, seconds=seconds)


def _check_installed() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ServingError(
            f"module {missing[0]} is missing; this command needs pip install 'kdtasks[serve]'"
        )


def _in_url(host: str) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{shown}]" if ":" in shown else shown
