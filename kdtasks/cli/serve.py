"""The commands that answer images: a server, agents, a fleet."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from kdtasks.cli.store import AliasOption, PublicOption, StoreOption
from kdtasks.core.errors import ServingError

# kdtasks is imported inside the functions, as everywhere on the command line.

_NEEDED = ("starlette", "uvicorn", "prometheus_client", "PIL")
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")]

PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port; 0 for any that is free.")
]

ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Images at work at once, one interpreter each.")
]

MegabytesOption = Annotated[
    float, typer.Option("--max-mb", min=0.001, help="Largest body in MB (1e6 bytes).")
]

IntervalOption = Annotated[
    float, typer.Option("--interval", min=0.1, help="Seconds between two looks at the alias.")
]

TelemetryOption = Annotated[
    float,
    typer.Option(
        "--telemetry-interval",
        min=0.1,
        help="Seconds between two batches of telemetry, which are what kill -9 can cost.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (serve, agent, fleet):
        app.command()(command)


def serve(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, .kdz file or .tflite.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    threads: ThreadsOption = 2,
    max_mb: MegabytesOption = 10.0,
) -> None:
    """Answer images over HTTP, with a page to drop some on."""
    _check_installed()

    from kdtasks.deploy.serve.application import make_application
    from kdtasks.deploy.serve.server import Server
    from kdtasks.deploy.serve.service import Service, load_release

    service = Service(load_release(bundle, threads=threads), threads=threads)
    application = make_application(service, most_bytes=int(max_mb * 1e6))
    server = Server(application, host=host, port=port)
    typer.echo(f"{bundle} answers at http://{_in_url(host)}:{server.port}/", err=True)
    server.run()
    service.close()


def agent(
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Model in the store.")],
    alias: AliasOption = "production",
    store: StoreOption = None,
    public_key: PublicOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    threads: ThreadsOption = 2,
    max_mb: MegabytesOption = 10.0,
    interval: IntervalOption = 60.0,
    telemetry_interval: TelemetryOption = 60.0,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            help="Folder of what outlives the process; without it below KDTASKS_STATE, or "
            "XDG_STATE_HOME, or ~/.local/state.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Name in telemetry; without it the machine's.")
    ] = None,
) -> None:
    """Serve what an alias stands for, follow it, and send telemetry to the store."""
    _check_installed()

    import logging

    from kdtasks.deploy.agent.device import Device
    from kdtasks.deploy.agent.settings import DeviceSettings, default_state, own_name
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.address import Reference, check_alias, check_name
    from kdtasks.deploy.store.cache import default_cache
    from kdtasks.deploy.store.signing import load_public_keys
    from kdtasks.orchestrate.project.project import find_address

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
        most_bytes=int(max_mb * 1e6),
        interval=interval,
        telemetry_interval=telemetry_interval,
    )
    with Device(open_objects(find_address(store)), settings) as running:
        logging.info("%s listens at http://%s:%d/", model, _in_url(host), running.server.port)
        running.server.run()


def fleet(
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Model in the store.")],
    devices: Annotated[int, typer.Option("--devices", min=1, help="How many.")] = 20,
    alias: AliasOption = "production",
    store: StoreOption = None,
    public_key: PublicOption = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--images", help="Files, folders or patterns to send in turn."),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.01, help="Images a second, over all devices.")
    ] = 20.0,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65000, help="Of the first device; 0 for any.")
    ] = 0,
    interval: IntervalOption = 10.0,
    telemetry_interval: TelemetryOption = 10.0,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.0, help="End then; without it at Ctrl-C.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where the devices' folders stay; without it for the while."),
    ] = None,
) -> None:
    """Run many agents in one process, to try a model, a store or a roll-out."""
    _check_installed()

    import contextlib
    import tempfile

    from kdtasks.cli.images import find_images
    from kdtasks.deploy.agent.fleet import running_fleet, watch
    from kdtasks.deploy.agent.settings import DeviceSettings
    from kdtasks.deploy.store import open_objects
    from kdtasks.deploy.store.address import Reference, check_alias, check_name
    from kdtasks.deploy.store.signing import load_public_keys
    from kdtasks.orchestrate.project.project import find_address

    files = []
    for name, problem in find_images(images or ()):
        if problem:
            raise ServingError(f"--images {name}: {problem}; give files, folders or patterns")
        files.append(Path(name))
    objects = open_objects(find_address(store))
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdtasks-fleet-")))
        settings = DeviceSettings(
            reference=Reference(check_name(model), check_alias(alias)),
            state=folder,
            cache=folder,
            device="device",
            trusted=load_public_keys(public_key),
            port=port,
            threads=1,
            interval=interval,
            telemetry_interval=telemetry_interval,
        )
        running = stack.enter_context(running_fleet(objects, settings, devices, folder))
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
