"""Steps that bring an accepted model to its users: gate, publish, promote."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, State

from flows.artifacts import artifact_key, show
from kdtasks.compress.tflite.estimated_latency import benchmark_at
from kdtasks.core.errors import StoreConflictError, StoreError
from kdtasks.deploy.gate.decision import PRODUCTION, GateDecision, LimitCheck
from kdtasks.deploy.gate.describe import decision_lines, decision_markdown, decision_message
from kdtasks.deploy.gate.gate import (
    GateSettings,
    Production,
    assess_candidate,
    fetch_production,
    find_candidate,
)
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.cache import Cache, default_cache
from kdtasks.deploy.store.describe import moved_line, published_line
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import (
    PublishResult,
    about_bundle,
    publish,
    read_folder,
    with_texts,
)
from kdtasks.deploy.store.records import FoundVersion, read_alias
from kdtasks.deploy.store.signing import load_public_keys, load_signing_key
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.orchestrate.project.origin import find_origin, shipped_texts
from kdtasks.orchestrate.project.project import find_address
from kdtasks.params import Params

STATES = {"promote": "Accepted", "keep": "Rejected", "nothing": "Unchanged"}


def find_store(params: Params) -> str | None:
    """The address of the store, as the environment or the params name it; null without one."""
    return os.environ.get("KDTASKS_STORE") or params.store.address


class Shipment:
    """One candidate on its way; the steps are to be called in their order, inside task runs."""

    _publish: Callable[[], PublishResult]  # set by `gate`
    _published: FoundVersion  # set by `publish`

    def __init__(self, project: Path, params: Params) -> None:
        """Read keys and address.

        Raises:
            StoreError: one of them is none.
        """
        self._project, self._params = project, params
        self._name = params.export.name
        self._key = load_signing_key(os.environ.get("KDTASKS_SIGNING_KEY"))
        self._trusted = load_public_keys(os.environ.get("KDTASKS_PUBLIC_KEY"))
        self._address = find_address(os.environ.get("KDTASKS_STORE"))
        self._production: Production | None = None
        self.decision: GateDecision | None = None

    @functools.cached_property
    def objects(self) -> Objects:
        """The store, once it is sure that what is published could be promoted there.

        Raises:
            StoreError: keys do not belong together, the store does not answer or honours no
                conditions, or the alias is damaged or not one's own.
        """
        # nothing is promoted that whoever trusts the same public keys would refuse
        own = self._key.public.identity if self._key else None
        trusted = [public.identity for public in self._trusted]
        if trusted and own not in trusted:
            signed = f"signed with the key {own}" if own else "unsigned"
            raise StoreError(
                f"what this run publishes would be {signed}, and KDTASKS_PUBLIC_KEY accepts only "
                f"{', '.join(trusted)}; set KDTASKS_SIGNING_KEY to the private key of one of them, "
                "or add the public key of the one that signs"
            )
        objects = open_objects(self._address)
        objects.check_conditions()
        if AliasMover(objects, self._name, PRODUCTION, self._key).current():
            read_alias(objects, self._name, PRODUCTION, trusted=self._trusted)
        return objects

    def gate(self) -> State[None]:
        """Judge the variant that the report has chosen against production, and show why."""
        self.decision = self._judge()
        for line in decision_lines(self.decision):
            get_run_logger().info(line)
        text = decision_markdown(self.decision, confidence=self._params.gate.confidence)
        key = artifact_key(self._project.name, "gate")
        show(lambda: create_markdown_artifact(text, key, f"the gate of {self._name}"))
        state = STATES[self.decision.action]
        return Completed(name=state, message=decision_message(self.decision))

    def publish(self) -> State[None]:
        """Publish the candidate as the next version."""
        published = self._publish()
        self._published = published.found
        return Completed(message=published_line(published))

    def promote(self) -> State[None]:
        """Move the alias to what was published, unless somebody has moved it since the gate."""
        try:
            mover = AliasMover(self.objects, self._name, PRODUCTION, self._key)
            expected = self._production.alias if self._production else None
            moved = mover.supersede(self._published, expected)
        except StoreConflictError as error:
            return Completed(name="Kept", message=str(error))
        return Completed(message=moved_line(moved))

    def _judge(self) -> GateDecision:
        bundle, sentence = find_candidate(self._project)
        if bundle is None:
            return GateDecision("keep", (LimitCheck(False, sentence),), model=self._name)
        # hashed before it is judged: what is judged is what is published
        manifest, files = read_manifest(bundle), read_folder(bundle)
        name, params, cache = self._name, self._params, Cache(default_cache())

        def ship() -> PublishResult:
            origin, about = find_origin(bundle), about_bundle(bundle, manifest, files)
            with with_texts(files, shipped_texts(files, manifest, origin)) as shipped:
                key = self._key
                return publish(self.objects, shipped, name=name, about=about, signing_key=key)

        self._publish = ship
        self._production = fetch_production(
            self.objects, name, PRODUCTION, cache=cache, trusted=self._trusted
        )
        settings = GateSettings.of(params, timed=benchmark_at)
        return assess_candidate(
            bundle, self._production, project=self._project, settings=settings, name=name
        )
