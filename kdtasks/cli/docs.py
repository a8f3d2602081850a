"""Write docs/cli.md, every command with its options: `python -m kdtasks.cli.docs > docs/cli.md`."""

import re

import typer
from typer.cli import get_docs_for_click

from kdtasks.cli.group import lazy_group
from kdtasks.cli.main import app, root

INTRODUCTION = """\
# Command line

Written by `python -m kdtasks.cli.docs > docs/cli.md` from the commands' help; change it there.
Exit statuses and what `--json` prints: [Exit status and output](command-line.md).
"""
# Lists of commands, whose sentences are cut short, options that all have, their lone headings.
REPEATED = (
    r"\*\*Commands\*\*:.*?(?=^## |^### )|^\* `--help`.*?\n"
    r"|\*\*Options\*\*:\s*(?=\* `--help`.*?\n\n)|^\*\*Usage\*\*:\n\n"
)


def render_reference() -> str:
    """The whole page: a heading a command; what every command repeats is left out."""
    command = lazy_group(app, root)
    context = typer.Context(command, info_name="kdtasks")
    with context:
        text = get_docs_for_click(obj=command, ctx=context, name="kdtasks")
    text = re.sub(REPEATED, "", text.partition("\n")[2], flags=re.MULTILINE | re.DOTALL)
    return INTRODUCTION + re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


if __name__ == "__main__":
    print(render_reference(), end="")
