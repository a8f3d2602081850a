"""The commands that answer pictures: options here, the work in kdtasks/serving and kdtasks/agent."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from kdtasks.errors import ServingError

# kdtasks is imported inside the functions, as everywhere on the command line.

_NEEDED = ("starlette", "uvicorn", "prometheus_client", "PIL")

HostOption = Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port; 0 for any that is free.")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Pictures at work at once, one interpreter each.")
]
MegabytesOption = Annotated[
    float, typer.Option("--max-mb", min=0.001, help="Largest body in MB (1e6 bytes).")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (serve,):
        app.command()(command)


def serve(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, .kdz file or .tflite.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    threads: ThreadsOption = 2,
    max_mb: MegabytesOption = 10.0,
) -> None:
    """Answer pictures over HTTP, with a page to drop some on."""
    _check_installed()

    from kdtasks.serving.application import make_application
    from kdtasks.serving.release import load_release
    from kdtasks.serving.server import Server
    from kdtasks.serving.service import Service

    service = Service(load_release(bundle, threads=threads), threads=threads)
    application = make_application(service, most_bytes=int(max_mb * 1e6))
    server = Server(application, host=host, port=port)
    typer.echo(f"{bundle} answers at http://{_in_url(host)}:{server.port}/", err=True)
    server.run()
    service.close()


def _check_installed() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ServingError(
            f"module {missing[0]} is missing; this command needs pip install 'kdtasks[serve]'"
        )


def _in_url(host: str) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{shown}]" if ":" in shown else shown
