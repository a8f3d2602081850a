"""Where commands find the model in production."""

from dataclasses import dataclass

from kdtasks.commands.store_settings import find_address
from kdtasks.errors import StoreMissingError, did_you_mean
from kdtasks.gate.decision import PRODUCTION
from kdtasks.gate.production import Production, fetch_production
from kdtasks.store.cache import Cache, default_cache
from kdtasks.store.keys import load_public_keys
from kdtasks.store.layout import MODELS, read_alias_key, read_version_key
from kdtasks.store.objects import Objects, open_objects


@dataclass(frozen=True)
class ProductionOptions:
    """Options of a command; nulls where none was given."""

    store: str | None = None  # null for store.address of the params
    name: str | None = None
    alias: str | None = None  # null for production
    public_key: str | None = None

    def fetch(self, usual_name: str) -> Production | None:
        """Pull what is in production; null where there is nothing yet.

        Arguments:
            usual_name: of the model, if no other is given.

        Raises:
            StoreError: as `fetch_production`, or no store is named.
        """
        return fetch_production(
            self.open(),
            self.name or usual_name,
            self.alias or PRODUCTION,
            cache=Cache(default_cache()),
            trusted=load_public_keys(self.public_key),
        )

    def check_no_slip(self, usual_name: str) -> None:
        """Let no slip of the pen pass for a first release, where `fetch` has found nothing.

        A store that holds no model yet has room for any name.

        Arguments:
            usual_name: as for `fetch`.

        Raises:
            StoreMissingError: the name or the alias that was given is not in the store, and
                something else is.
        """
        if self.name is None and self.alias is None:
            return
        objects = self.open()
        name, held = self.name or usual_name, _aliases_by_model(objects)
        first = "or --first if there is no model in production yet"
        if held and name not in held:
            raise StoreMissingError(
                f"there is no model {name} in the store {objects.identity}, which holds "
                f"{', '.join(sorted(held))}{did_you_mean(name, held)}; give --name one of these, "
                f"{first}"
            )
        if held and self.alias is not None:
            there = sorted(held[name])
            raise StoreMissingError(
                f"{name} has no alias {self.alias} in the store {objects.identity}; it has "
                f"{', '.join(there) or 'versions, but no alias'}{did_you_mean(self.alias, there)}; "
                f"give --alias one that is there, {first}"
            )

    def open(self) -> Objects:
        """Open the store."""
        return open_objects(find_address(self.store))


def _aliases_by_model(objects: Objects) -> dict[str, set[str]]:
    """All models of a store that have a version or an alias, with the aliases of each."""
    found: dict[str, set[str]] = {}
    for entry in objects.list(MODELS):
        version, alias = read_version_key(entry.key), read_alias_key(entry.key)
        if version:
            found.setdefault(version[0], set())
        elif alias:
            found.setdefault(alias[0], set()).add(alias[1])
    return found
