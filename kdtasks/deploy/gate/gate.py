"""Measure a candidate and production on the current test split, and decide."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import (
    EvaluationError,
    StoreConflictError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.report import Selection
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.data.settings import DataParams
from kdtasks.deploy.gate.decision import PRODUCTION, Check, Contender, Decision, GateParams, decide
from kdtasks.deploy.store.address import Reference, alias_key, read_version_key, versions_prefix
from kdtasks.deploy.store.alias import Alias, FoundAlias, read_alias
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.catalogue import fetch_versions
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.publish import read_folder
from kdtasks.deploy.store.pull import Puller
from kdtasks.deploy.store.signing import PublicKey
from kdtasks.deploy.store.version import StoredFile, Version
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.latency import time_in_turn
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.registry import load_predictor
from kdtasks.evaluate.evaluator import BenchmarkParams, EvaluateParams
from kdtasks.evaluate.registry import evaluator_of

BY_HAND = "`kdtasks promote` does it by hand"


class GateSettings(NamedTuple):
    """The sections of params that a gate needs."""

    limits: GateParams
    statistics: EvaluateParams
    benchmark: BenchmarkParams
    data: DataParams


class Production(NamedTuple):
    """What is in production.

    Attributes:
        alias: the state of the alias that was read; whoever replaces it, replaces this state.
        version: what the alias stands for.
        folder: the version's bundle, verified.
        passed_over: versions that were there already when the alias was last moved, to this one.
    """

    alias: FoundAlias
    version: Version
    folder: Path
    passed_over: tuple[Version, ...]


def judge(
    bundle: Path,
    production: Production | None,
    *,
    project: Path,
    settings: GateSettings,
    alias: str = PRODUCTION,
) -> Decision:
    """Decide whether a bundle takes production's place.

    Both answer the test split; their latencies are taken in turn on calibration images, as the
    benchmark's are.

    Args:
        bundle: folder of the candidate.
        production: what it has to hold its own against; null where there is none yet.
        project: holds `data/prepared`.
        alias: the one that production was, or would have been, found by.

    Raises:
        BundleError: a bundle cannot be run.
        EvaluationError: the candidate is not for the project's images.
        DatasetError: the project has no prepared images.
    """
    manifest = read_manifest(bundle)
    data = open_prepared(ProjectPaths(project).prepared)
    _check_fits(bundle, manifest, data)
    if production is None:
        contenders = _measure({f"variant {manifest.variant}": bundle}, data, settings)
        return decide(contenders[0], None, limits=settings.limits, alias=alias)
    title = f"version {production.version.number}"
    files = _files(bundle)
    if files == production.version.files:
        words = f"the new model is {title}, which is in {alias}, byte for byte"
        return Decision("nothing", (Check(True, words),), alias=alias)
    for version in production.passed_over:
        if files == version.files:  # after a rollback, say
            words = f"the new model is version {version.number}, which was there already when"
            chosen = f"{title} was put in {alias}"
            return Decision("keep", (Check(False, f"{words} {chosen}; {BY_HAND}"),), alias=alias)
    differing = incomparable(manifest, read_manifest(production.folder), alias)
    if differing:
        return Decision("keep", tuple(Check(False, reason) for reason in differing), alias=alias)
    candidate, current = _measure(
        {f"variant {manifest.variant}": bundle, title: production.folder}, data, settings
    )
    decision = decide(candidate, current, limits=settings.limits, alias=alias)
    notes = _notes(read_manifest(production.folder), data, settings.data, alias)
    return decision._replace(notes=notes)


def incomparable(
    candidate: Manifest, production: Manifest, alias: str = PRODUCTION
) -> tuple[str, ...]:
    """Say why two bundles cannot answer the same images; empty where they can."""
    reasons = []
    if candidate.task != production.task:
        reasons.append(
            f"the new model is for {candidate.task}, {alias} for {production.task}, so the two "
            f"cannot be compared; {BY_HAND}"
        )
    if candidate.class_names != production.class_names:
        new = [name for name in candidate.class_names if name not in production.class_names]
        gone = [name for name in production.class_names if name not in candidate.class_names]
        changes = [
            *([f"new: {', '.join(new)}"] if new else []),
            *([f"gone: {', '.join(gone)}"] if gone else []),
        ]
        words = "; ".join(changes) or "the same names in another order"
        reasons.append(
            f"the classes are not {alias}'s ({words}), so the two cannot be compared; {BY_HAND}"
        )
    if candidate.input_shape != production.input_shape:
        reasons.append(
            f"the new model takes images of {_shape(candidate)}, {alias} of "
            f"{_shape(production)}, so the two cannot be compared; {BY_HAND}"
        )
    return tuple(reasons)


def _check_fits(bundle: Path, manifest: Manifest, data: PreparedDataset) -> None:
    if manifest.task != data.task:
        raise EvaluationError(
            f"{bundle} is for {manifest.task}, {data.folder} for {data.task}; give a bundle of "
            "this project, or run the pipeline"
        )
    told = (manifest.class_names, manifest.input_shape)
    if told != (data.class_names, data.image_shape):
        raise EvaluationError(
            f"{bundle} takes images of {_shape(manifest)} in the classes "
            f"{', '.join(manifest.class_names)}; {data.folder} holds "
            f"{' × '.join(map(str, data.image_shape))} in {', '.join(data.class_names)}; give a "
            "bundle of this project, or run the pipeline"
        )


def _measure(
    folders: dict[str, Path], data: PreparedDataset, settings: GateSettings
) -> list[Contender]:
    runs, evaluator = settings.benchmark.runs, evaluator_of(data, settings.statistics)
    models = {
        title: load_predictor(folder, threads=settings.benchmark.threads)
        for title, folder in folders.items()
    }
    images = data.images("calibration")
    order = np.random.default_rng(0).permutation(len(images))[:runs]
    times = time_in_turn(
        list(models.values()), images[order], runs=runs, warmup=settings.benchmark.warmup
    )
    return [
        Contender(
            title,
            evaluator.score(model),
            model.manifest.bytes,
            latency,
        )
        for (title, model), latency in zip(models.items(), times, strict=True)
    ]


def _notes(
    production: Manifest, data: PreparedDataset, now: DataParams, alias: str
) -> tuple[str, ...]:
    then = production.parameters.get("data") or {}
    kept = {"stable_split", "split", "seed"}
    if now.stable_split and all(then.get(key) == now.model_dump()[key] for key in kept):
        return ()
    dataset = hashlib.sha256((data.folder / "dataset.json").read_bytes()).hexdigest()
    if production.dataset_sha256 == dataset:
        return ()
    return (
        f"{alias} was made from other data: images of this test split may be among those that "
        f"it was trained on, which speaks for {alias}; data.stable_split keeps them apart",
    )


def _files(bundle: Path) -> tuple[StoredFile, ...]:
    sources = read_folder(bundle).items()
    return tuple(StoredFile(path, source.size, source.sha256) for path, source in sources)


def _shape(manifest: Manifest) -> str:
    return " × ".join(map(str, manifest.input_shape))


class Candidate(NamedTuple):
    """What the pipeline wants to ship.

    Attributes:
        bundle: folder of the chosen variant; null where none is within the limits of `select`.
        sentence: why.
    """

    bundle: Path | None
    sentence: str


def find_candidate(project: Path) -> Candidate:
    """Read the report's choice.

    Raises:
        KdTasksError: the pipeline has written none yet.
    """
    paths = ProjectPaths(project)
    selection = Selection.read(paths.selection)
    bundle = paths.bundle(selection.chosen) if selection.chosen else None
    return Candidate(bundle, selection.sentence)


def fetch_production(
    objects: Objects,
    name: str,
    alias: str,
    *,
    cache: Cache,
    trusted: Sequence[PublicKey] = (),
) -> Production | None:
    """Pull the version that an alias stands for; null where there is no such alias yet.

    Args:
        trusted: whose signatures count; if empty, unsigned versions are accepted.

    Raises:
        StoreUnreachableError: the store does not answer; what the cache holds may be outdated.
        StoreConflictError: the alias is being moved just now.
        StoreError: all that `pull` raises.
    """
    try:
        found = read_alias(objects, name, alias, trusted=trusted)
    except StoreMissingError:
        return None
    puller = Puller(objects=objects, cache=cache, trusted=trusted)
    pulled = puller.pull(Reference(name, alias))
    if pulled.unreachable:
        raise StoreUnreachableError(pulled.unreachable)
    if pulled.version.number != found.alias.version:
        raise StoreConflictError(
            f"{name}@{alias} was moved from version {found.alias.version} to "
            f"{pulled.version.number} while it was read; try again"
        )
    return Production(found, pulled.version, pulled.folder, _passed_over(objects, found.alias))


def _passed_over(objects: Objects, alias: Alias) -> tuple[Version, ...]:
    """Versions that were there before an alias was moved, by the store's clock or people's own."""
    state = objects.stat(alias_key(alias.name, alias.alias))
    others = {
        found[1]: entry.modified
        for entry in objects.list(versions_prefix(alias.name))
        if (found := read_version_key(entry.key)) and found[1] != alias.version
    }
    versions = fetch_versions(objects, [(alias.name, number) for number in others])
    return tuple(
        version
        for version, _ in versions.values()
        if version.created < alias.moved
        # whoever published it may have a clock that is ahead
        or (state is not None and others[version.number] < state.modified)
    )
