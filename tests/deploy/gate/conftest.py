"""A project after its pipeline, with a store: two models whose right answers a test chooses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kdtasks.deploy.gate.gate import Production, fetch_production
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import PublishResult, publish
from kdtasks.params import Params, load_params
from tests.tools.pixel_bundles import write_pixel_bundle, write_pixel_dataset

RECIPE = Path(__file__).parents[3] / "recipes" / "mnist-5k.yaml"


@pytest.fixture
def params() -> Params:
    """The default recipe with quick timings, and no limit on them."""
    content = load_params(RECIPE).model_dump()
    content["benchmark"] |= {"images": 4, "rounds": 3, "warmup": 2}
    content["gate"]["max_latency_growth"] = None
    return Params.model_validate(content)


class Workshop(NamedTuple):
    """What a test judges with."""

    project: Path
    objects: Objects
    params: Params
    models: tuple[bytes, bytes]

    def data(self, right: Sequence[tuple[int, bool, bool]]) -> str:
        """Write test images: numbers of them, and which of the two models get them right."""
        return write_pixel_dataset(self.project / "data" / "prepared", self.params, right)

    def bundle(self, model: int, folder: str = "candidate", **changes: Any) -> Path:
        """Write a bundle of one of the models."""
        return write_pixel_bundle(self.project / folder, self.models[model], **changes)

    def publish(self, bundle: Path, alias: str | None = "production") -> PublishResult:
        """Publish a bundle, and move an alias to it."""
        published = publish(self.objects, bundle, name="pixels")
        if alias:
            AliasMover(self.objects, "pixels", alias).advance(published.found)
        return published

    def production(self, **options: Any) -> Production | None:
        """Fetch what is in production."""
        cache = Cache(self.project / "cache")
        return fetch_production(self.objects, "pixels", "production", cache=cache, **options)


@pytest.fixture
def workshop(tmp_path: Path, params: Params, pixel_models: tuple[bytes, bytes]) -> Workshop:
    objects = open_objects(parse_address(str(tmp_path / "store")))
    objects.check_conditions()
    return Workshop(tmp_path, objects, params, pixel_models)
