"""The group of all commands: one is built when it is asked for, and help takes little of Rich.

Typer builds every command, from signatures and type hints, before it looks at the first word, and
its help imports a Markdown parser and a syntax highlighter: together more than half of a start.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_command_name, solve_typer_info_defaults

from kdtasks.cli.output import print_table
from kdtasks.cli.plain_values import read_plainly
from kdtasks.cli.status import MEANINGS


class Registered(NamedTuple):
    """A command or a group of commands that is not built yet."""

    short_help: str
    alone: typer.Typer  # with nothing else in it
    is_group: bool


def registered(app: typer.Typer) -> Iterator[tuple[str, Registered]]:
    """Find the commands and groups of a Typer by name; those of groups without a name join them."""
    for command in app.registered_commands:
        alone = typer.Typer(add_completion=False)
        alone.registered_commands.append(command)
        text = command.help or getattr(command.callback, "__doc__", None) or ""
        name = command.name or get_command_name(getattr(command.callback, "__name__", ""))
        yield name, Registered(_first_line(text), alone, is_group=False)
    for group in app.registered_groups:
        solved = solve_typer_info_defaults(group)
        if solved.name:
            alone = typer.Typer(add_completion=False)
            alone.registered_groups.append(group)
            yield solved.name, Registered(_first_line(solved.help or ""), alone, is_group=True)
        elif group.typer_instance:
            yield from registered(group.typer_instance)


class LazyCommands(Mapping[str, Any]):
    """Commands by name, each built when it is looked up."""

    def __init__(self, app: typer.Typer) -> None:
        """Args: `app`, with which the commands are registered."""
        self.registered = dict(registered(app))

    def __getitem__(self, name: str) -> Any:
        found = self.registered[name]
        command: Any = get_command(found.alone)
        return command.commands[name] if found.is_group else command

    def __iter__(self) -> Iterator[str]:
        return iter(self.registered)

    def __len__(self) -> int:
        return len(self.registered)


class LazyGroup(TyperGroup):
    """A group of `LazyCommands`; its own help lists the exit statuses as well."""

    commands: Any

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in the order of their registration."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print what there is: commands, options, exit statuses."""
        found = self.commands.registered
        options = [option.get_help_record(ctx) for option in self.get_params(ctx)]
        typer.echo(f"\n{self.get_usage(ctx)}\n\n{self.help}")
        rows = [(name, command.short_help) for name, command in found.items()]
        print_table(rows, title="Commands")
        print_table(filter(None, options), title="Options")
        rows = [(str(int(status)), meaning) for status, meaning in MEANINGS.items()]
        print_table(rows, title="Exit status")


def lazy_group(app: typer.Typer, root: typer.Typer) -> LazyGroup:
    """Give the commands of `app` the name, the help and the options of `root`."""
    read_plainly()
    group: Any = get_command(root)
    group.commands = LazyCommands(app)
    assert isinstance(group, LazyGroup)
    return group


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
