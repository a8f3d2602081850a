"""What a shell completes: names in the files of the project, read without importing the pipeline.

Typer calls these functions and keeps what begins with the word so far.
"""

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from kdtasks.cli.output import find_project
from kdtasks.core.installed import recipes_of

PACKAGE = Path(__file__).parents[1]
KEY = "_KDTASKS_COMPLETE_KEY"  # what bash has cut off before the word that `settings` completes
# Params that name an item of a registry: the registry, and the folder of its items.
CHOICES = {
    "distill.loss": ("distillation_losses", "learn/losses/distillation"),
    "distill.alpha": ("schedules", "learn/schedules"),
    "distill.temperature": ("schedules", "learn/schedules"),
    "student.model": ("architectures", "learn/networks"),
    "teacher.model": ("architectures", "learn/networks"),
    "data.source": ("sources", "data/sources"),
}

# A class of a module, by its registry; the name is what it is registered under.
_ITEM = r"^@{}\.register\nclass .*?^    name: [^=\n]*= \"([^\"]+)\"$"

# The names of an item that has several.
_FAMILY = re.compile(r'^        "(\w+/\w+)",$', re.MULTILINE)

Completer = Callable[[typer.Context, str], list[str]]


def _from_files(complete: Callable[[typer.Context, str], Iterator[str]]) -> Completer:
    """Complete nothing where a file is missing or not as expected: a shell shows no errors."""

    @functools.wraps(complete)
    def names(context: typer.Context, incomplete: str) -> list[str]:
        try:
            return sorted(set(complete(context, incomplete)))
        except Exception:
            return []

    return names


@_from_files
def recipes(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete the name of a recipe."""
    yield from recipes_of(find_project())


@_from_files
def stages(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete the name of a stage: of dvc.yaml, and with seed or variant of dvc.lock."""
    for file in ("dvc.yaml", "dvc.lock"):
        path = find_project() / file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        yield from re.findall(r"^  ([\w@.+-]+):$", text.partition("\nstages:\n")[2], re.MULTILINE)


@_from_files
def bundles(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete the bundle of a variant; where none begins so, the shell completes files."""
    for path in (find_project() / "bundles").glob("*/manifest.json"):
        yield os.path.relpath(path.parent)


@_from_files
def models(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete the name of a model in the store, where that is a folder."""
    return (folder.name for folder in _models(context).iterdir())


@_from_files
def references(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete NAME and NAME@ALIAS."""
    for path in _models(context).glob("*/aliases/*.json"):
        name = path.parts[-3]
        yield from (name, f"{name}@{path.stem}")


@_from_files
def aliases(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete an alias, of the model that was named if one was."""
    name = context.params.get("name") or context.params.get("model") or "*"
    return (path.stem for path in _models(context).glob(f"{name}/aliases/*.json"))


@_from_files
def settings(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Complete KEY= of a key of params.yaml, and the names that KEY=V1,V2 may have."""
    key, equals, values = f"{os.environ.get(KEY, '')}{incomplete}".partition("=")
    if not equals:
        yield from (f"{key}=" for key in _flat(_params()))
    elif key in CHOICES:
        registry, folder = CHOICES[key]
        item = re.compile(_ITEM.format(registry), re.MULTILINE | re.DOTALL)
        before = incomplete.removesuffix(values.rpartition(",")[2])
        for path in (
            *(PACKAGE / folder).glob("*.py"),
            *(find_project() / "extensions").glob("*.py"),
        ):
            text = path.read_text(encoding="utf-8")
            names = item.findall(text)
            if f"@{registry}.register" in text:
                names += _FAMILY.findall(text)
            yield from (before + name for name in names)


def set_key_aside() -> None:
    """Join what bash takes for three words, `KEY`, `=` and `VALUE`: it completes the last alone."""
    words, position = os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"])
    word = "".join(words[position : position + 1])
    start = position - 1 if word == "=" else position - 2
    if words[start + 1] == "=" and not words[start].startswith("-"):
        os.environ[KEY] = f"{words[start]}="
        os.environ["COMP_WORDS"] = "\n".join([*words[:start], word.removeprefix("=")])
        os.environ["COMP_CWORD"] = str(start)


def _params() -> dict[str, Any]:
    from ruamel.yaml import YAML

    return dict(YAML(typ="safe").load(find_project() / "params.yaml"))


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in content.items():
        yield before + key
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")


def _models(context: typer.Context) -> Path:
    """The folder of the models of a store in a folder; no store in a bucket is asked."""
    given = context.params.get("store") or os.environ.get("KDTASKS_STORE")
    address = given or str(find_project() / _params()["store"]["address"])
    return Path(address.removeprefix("file://")).expanduser() / "models"
