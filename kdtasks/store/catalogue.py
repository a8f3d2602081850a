"""What a store holds: models, their versions, and what their aliases stand for."""

import contextlib
import dataclasses
from collections.abc import Iterable

from kdtasks.errors import StoreMissingError
from kdtasks.store.alias import FoundAlias, read_alias
from kdtasks.store.layout import MODELS, read_alias_key, read_version_key
from kdtasks.store.names import check_name
from kdtasks.store.objects import Entry, Objects
from kdtasks.store.transfers import Transfers
from kdtasks.store.versions import FoundVersion, fetch_version


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """A model of a store.

    Attributes:
        name: of the model.
        versions: when each was published, by the store's clock; the lowest number first.
        aliases: in the order of their names.
    """

    name: str
    versions: dict[int, Entry]
    aliases: dict[str, FoundAlias]

    def aliases_of(self, number: int) -> list[str]:
        """Aliases that stand for a version."""
        return [word for word, found in self.aliases.items() if found.alias.version == number]


def list_models(objects: Objects, transfers: Transfers, name: str | None = None) -> list[Model]:
    """Look through a store.

    Arguments:
        name: only this model; null looks at all.

    Raises:
        StoreMissingError: there is no model of that name.
        IntegrityError: an alias is damaged.
    """
    prefix = f"{MODELS}{check_name(name)}/" if name else MODELS
    versions: dict[str, dict[int, Entry]] = {}
    words: list[tuple[str, str]] = []
    for entry in objects.list(prefix):
        version, alias = read_version_key(entry.key), read_alias_key(entry.key)
        if version:
            versions.setdefault(version[0], {})[version[1]] = entry
        elif alias:
            words.append(alias)
    if name and name not in versions:
        raise StoreMissingError(
            f"the store has no model {name}; `kdtasks models` lists what there is"
        )
    found: dict[tuple[str, str], FoundAlias] = {}

    def read(word: tuple[str, str]) -> None:
        found[word] = read_alias(objects, *word)

    transfers.run(read, words)
    return [
        Model(
            name=model,
            versions=dict(sorted(numbers.items())),
            aliases={word: found[of, word] for of, word in sorted(words) if of == model},
        )
        for model, numbers in sorted(versions.items())
    ]


def fetch_versions(
    objects: Objects, wanted: Iterable[tuple[str, int]], transfers: Transfers
) -> dict[tuple[str, int], FoundVersion]:
    """Read manifests, several at once; those that are gone by now are left out.

    Raises:
        IntegrityError: a manifest is damaged.
    """
    found: dict[tuple[str, int], FoundVersion] = {}

    def fetch(version: tuple[str, int]) -> None:
        with contextlib.suppress(StoreMissingError):
            found[version] = fetch_version(objects, *version)

    transfers.run(fetch, wanted)
    return found
