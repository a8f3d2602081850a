"""Where commands find the model in production."""

from dataclasses import dataclass

from kdtasks.commands.store_settings import find_address
from kdtasks.gate.production import Production, fetch_production
from kdtasks.store.cache import Cache, default_cache
from kdtasks.store.keys import load_public_keys
from kdtasks.store.objects import open_objects


@dataclass(frozen=True)
class ProductionOptions:
    """Options of a command; nulls where none was given."""

    store: str | None = None  # null for store.address of the params
    name: str | None = None
    alias: str = "production"
    public_key: str | None = None

    def fetch(self, usual_name: str) -> Production | None:
        """Pull what is in production; null where there is nothing yet.

        Arguments:
            usual_name: of the model, if no other is given.

        Raises:
            StoreError: as `fetch_production`, or no store is named.
        """
        return fetch_production(
            open_objects(find_address(self.store)),
            self.name or usual_name,
            self.alias,
            cache=Cache(default_cache()),
            trusted=load_public_keys(self.public_key),
        )
