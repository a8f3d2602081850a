"""A small project whose pipeline ends in a model, with a store and a remote: what a night needs.

The stage `make` hands out what lies in `workshop/`, so a test decides what the pipeline brings.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import alias_key, parse_address
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.records import list_numbers, read_alias
from kdtasks.params import load_params
from tests.tools.complete_params import complete_params
from tests.tools.dvc_command import init_dvc
from tests.tools.pixel_bundles import write_pixel_bundle, write_pixel_dataset
from tests.tools.records import write_selection

ROOT = Path(__file__).parents[2]
STAGES = """\
stages:
  make:
    cmd: python make.py
    deps: [workshop, make.py]
    outs: [bundles, data/prepared, report]
"""
MAKE = """\
import shutil
for name in ('bundles', 'data/prepared', 'report'):
    shutil.copytree(f'workshop/{name}', name, dirs_exist_ok=True)
"""
# the candidate gets 20 of 300 images right that production does not
BETTER = ((280, True, True), (20, True, False))
WORSE = ((280, True, True), (20, False, True))
CHANGES = (
    ("name: mnist-5k-student", "name: pixels"),
    ("address: null", "address: store"),
    ("rounds: 5", "rounds: 1"),
    ("max_latency_growth: 0.25", "max_latency_growth: null"),  # left to chance here
)


class Shop(NamedTuple):
    """The project."""

    project: Path
    models: tuple[bytes, bytes]

    @property
    def objects(self) -> Objects:
        """The store, opened anew."""
        objects = open_objects(parse_address(str(self.project / "store")))
        objects.check_conditions()
        return objects

    def bring(self, right: Sequence[tuple[int, bool, bool]], model: int = 0) -> None:
        """Let the pipeline's next run end in a model, and in images that it gets right."""
        workshop = self.project / "workshop"
        params = load_params(self.project / "params.yaml")
        digest = write_pixel_dataset(workshop / "data/prepared", params, right)
        bundle = workshop / "bundles/float32"
        write_pixel_bundle(bundle, self.models[model], dataset_sha256=digest)
        write_selection(workshop, "float32", "small")

    def put_in_production(self, model: int) -> None:
        """Publish and promote a model by hand."""
        bundle = write_pixel_bundle(self.project / "by-hand", self.models[model])
        AliasMover(self.objects, "pixels", "production").advance(
            publish(self.objects, bundle, name="pixels").found
        )

    def production(self) -> int:
        """The version that is in production."""
        return read_alias(self.objects, "pixels", "production").alias.version

    def record(self) -> bytes:
        """The alias to the byte: whoever moved it and moved it back changed it."""
        return self.objects.read(alias_key("pixels", "production")).data

    def versions(self) -> list[int]:
        """All versions in the store."""
        return list_numbers(self.objects, "pixels")

    def dvc(self, *words: str) -> None:
        """Run DVC's command line."""
        run = [sys.executable, "-m", "dvc", *words, "--quiet"]
        subprocess.run(run, cwd=self.project, check=True)


def open_shop(folder: Path, models: tuple[bytes, bytes]) -> Shop:
    """Make the project, with a better model than production's ready; its pipeline has not run."""
    data = ("data/raw", "data/raw-unlabelled", "data/slices")
    for name in (*data, "models/arm", "models/import", "models/start"):
        (folder / name).mkdir(parents=True)
    text = complete_params()
    for before, after in CHANGES:
        assert before in text
        text = text.replace(before, after)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    (folder / "make.py").write_text(MAKE, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    shop = Shop(folder, models)
    init_dvc(folder)
    shop.bring(BETTER)
    return shop


def copy_shop(shop: Shop, folder: Path) -> Shop:
    """Copy the project, which may have run."""
    shutil.copytree(shop.project, folder, symlinks=True)
    return Shop(folder, shop.models)
