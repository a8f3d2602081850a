"""The `kdtasks` command line: options, printing and exit codes; the work is done elsewhere."""

import atexit
import gc
import os
import sys
from typing import Annotated, Any

import typer
from typer import Option

from kdtasks import __version__
from kdtasks.cli import bundle, completion, pipeline, project, recipe, serve, store
from kdtasks.cli.group import LazyGroup, lazy_group
from kdtasks.cli.status import Status
from kdtasks.core.errors import KdTasksError, shortened
from kdtasks.core.files import disk_problem

DEBUG = "--debug"

app = typer.Typer()  # one command is built, the one that is asked for: see `LazyGroup`
for commands in (pipeline.app, project.app, bundle.app, store.app, serve.app):
    app.add_typer(commands)
app.add_typer(recipe.app, name="recipe", no_args_is_help=True)
root = typer.Typer(
    name="kdtasks",
    cls=LazyGroup,
    help="Distil a large Keras teacher into a small, fast, proven model for edge devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; an error is one line and exit status 1, unless `--debug` is given."""
    # what imports make stays: looking for garbage in it takes time, at the exit seconds
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    if os.environ.get("_KDTASKS_COMPLETE") == "complete_bash":
        completion.set_key_aside()
    is_debugging = DEBUG in sys.argv  # wherever it stands
    sys.argv[1:] = [word for word in sys.argv[1:] if word != DEBUG]
    try:
        status = lazy_group(app, root)(prog_name="kdtasks", standalone_mode=False)
    except Exception as error:
        refused = hasattr(error, "format_message")  # by Typer, whose errors have no public base
        if is_debugging and not refused:
            raise
        if text := _of_usage(error) if refused else _in_one_line(error):
            typer.echo(f"error: {text}", err=True)
        status = Status.USAGE if refused else Status.FAILED
    raise SystemExit(status)


def _of_usage(error: Any) -> str:
    """What is wrong with the words, on one line; nothing where help has been printed for none."""
    text = " ".join(error.format_message().replace("Value error, ", "").split())  # pydantic's
    ending = "" if text.endswith((".", "?")) else "."
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "kdtasks"
    return f"{text[0].lower()}{text[1:]}{ending} See `{path} --help`" if text else ""


def _in_one_line(error: Exception) -> str:
    if isinstance(error, KdTasksError):
        return str(error)
    is_of_network = isinstance(error, ConnectionError | TimeoutError)
    # those of other libraries have no number, or as of a host's name one below 0
    if isinstance(error, OSError) and (error.errno or 0) > 0 and not is_of_network:
        return disk_problem(error)
    module = (error.name if isinstance(error, ModuleNotFoundError) else None) or "kdtasks"
    if module.partition(".")[0] not in ("kdtasks", "flows"):
        return f"module {module} is missing; this command needs pip install 'kdtasks[pipeline]'"
    reason = shortened(f"{type(error).__name__}: {error}")
    return f"{reason}; this is a bug: the same command with {DEBUG} shows where"


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"kdtasks {__version__}")
        raise typer.Exit()


@root.callback()
def _options(
    version: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    pass


if __name__ == "__main__":
    main()
