"""Measure a candidate and production on the current test split, and decide."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from kdtasks.core.errors import EvaluationError, StoreUnreachableError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.compress import Parity
from kdtasks.core.records.report import Selection
from kdtasks.data.prepared import PreparedDataset, open_prepared
from kdtasks.data.settings import DataParams
from kdtasks.deploy.gate.decision import (
    PRODUCTION,
    Contender,
    GateDecision,
    GateParams,
    LimitCheck,
    decide,
)
from kdtasks.deploy.store.address import Reference, alias_key
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.catalogue import fetch_versions, list_models
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.publish import is_same_bundle, read_folder, stored_files
from kdtasks.deploy.store.pull import Puller
from kdtasks.deploy.store.records import Alias, FoundAlias, Version
from kdtasks.deploy.store.signing import PublicKey
from kdtasks.edge.benchmark import BenchmarkRun
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.registry import load_predictor
from kdtasks.evaluate.devices.benchmark import benchmark_on
from kdtasks.evaluate.parity import ParityParams, parity_problem
from kdtasks.evaluate.registry import evaluator_of
from kdtasks.evaluate.settings import BenchmarkParams, EvaluateParams

BY_HAND = "`kdtasks promote` does it by hand"


class GateSettings(NamedTuple):
    """The sections of params that a gate needs, and `select.device`.

    Attributes:
        timed: times bundles there, with the arguments of `benchmark_on`; None: that.
    """

    limits: GateParams
    parity: ParityParams
    statistics: EvaluateParams
    benchmark: BenchmarkParams
    data: DataParams
    device: str | None = None
    timed: Callable[..., BenchmarkRun] | None = None

    @classmethod
    def of(cls, params: Any, *, timed: Callable[..., BenchmarkRun] | None = None) -> Self:
        """Take them from a project's params (`kdtasks.params`, which imports this package)."""
        return cls(
            params.gate,
            params.compress.parity,
            params.evaluate,
            params.benchmark,
            params.data,
            params.select.device,
            timed,
        )


class Production(NamedTuple):
    """What is in production.

    Attributes:
        alias: the state of the alias that was read; whoever replaces it, replaces this state.
        version: what the alias stands for.
        folder: the version's bundle, verified.
        skipped_versions: versions that were there already when the alias was last moved, to this
            one.
    """

    alias: FoundAlias
    version: Version
    folder: Path
    skipped_versions: tuple[Version, ...]


def assess_candidate(
    bundle: Path,
    production: Production | None,
    *,
    project: Path,
    settings: GateSettings,
    name: str | None = None,
    alias: str = PRODUCTION,
) -> GateDecision:
    """Decide whether a bundle takes production's place.

    Both answer the test split; their latencies are taken in turn on validation images, as the
    benchmark's are, on the device that counts.

    Args:
        bundle: folder of the candidate.
        production: what it has to hold its own against; null where there is none yet.
        project: holds `data/prepared`.
        name, alias: what production was, or would have been, found by; null for the bundle's name.

    Raises:
        BundleError: a bundle cannot be run.
        EvaluationError: the candidate is not for the project's images.
        DatasetError: the project has no prepared images.
    """
    manifest = read_manifest(bundle)
    data = open_prepared(ProjectPaths(project).prepared)
    _check_fits(bundle, manifest, data)
    return _assess(bundle, production, manifest, data, settings, alias)._replace(
        model=name or manifest.name,
        alias=alias,
        version=production.version.number if production else None,
    )


def _assess(
    bundle: Path,
    production: Production | None,
    manifest: Manifest,
    data: PreparedDataset,
    settings: GateSettings,
    alias: str,
) -> GateDecision:
    if problem := _parity_problem(manifest, settings.parity):
        return GateDecision("keep", (LimitCheck(False, problem),))
    where = (f"latency is that on {settings.device}",) if settings.device else ()
    if production is None:
        contenders = _measure({f"variant {manifest.variant}": bundle}, data, settings)
        decision = decide(contenders[0], None, limits=settings.limits, alias=alias)
        return decision._replace(notes=where)
    title, files = f"version {production.version.number}", stored_files(read_folder(bundle))
    if is_same_bundle(production.version, files):
        reason = f"the new model is {title}, which is in {alias}, byte for byte"
        return GateDecision("nothing", (LimitCheck(True, reason),))
    current = read_manifest(production.folder)
    refusals = incomparable(manifest, current, alias)
    for version in production.skipped_versions:
        if is_same_bundle(version, files):  # after a rollback, say
            known = f"the new model is version {version.number}, which was there already when"
            refusals = (f"{known} {title} was put in {alias}; {BY_HAND}",)
    if refusals:
        return GateDecision("keep", tuple(LimitCheck(False, reason) for reason in refusals))
    contenders = _measure(
        {f"variant {manifest.variant}": bundle, title: production.folder}, data, settings
    )
    decision = decide(*contenders, limits=settings.limits, alias=alias)
    return decision._replace(notes=(*where, *_notes(current, data, settings.data, alias)))


def incomparable(
    candidate: Manifest, production: Manifest, alias: str = PRODUCTION
) -> tuple[str, ...]:
    """Say why two bundles cannot answer the same images; empty where they can."""
    reasons = []
    if candidate.task != production.task:
        reasons.append(f"the new model is for {candidate.task}, {alias} for {production.task}")
    names, old = candidate.class_names, production.class_names
    if names != old:
        changes = {
            "new": ", ".join(name for name in names if name not in old),
            "gone": ", ".join(name for name in old if name not in names),
        }
        words = "; ".join(f"{word}: {listed}" for word, listed in changes.items() if listed)
        words = words or "the same names in another order"
        reasons.append(f"the classes are not {alias}'s ({words})")
    if candidate.input_shape != production.input_shape:
        shapes = _shape(candidate.input_shape), _shape(production.input_shape)
        reasons.append(f"the new model takes images of {shapes[0]}, {alias} of {shapes[1]}")
    return tuple(f"{reason}, so the two cannot be compared; {BY_HAND}" for reason in reasons)


def _check_fits(bundle: Path, manifest: Manifest, data: PreparedDataset) -> None:
    candidate_form = (manifest.task, manifest.input_shape, manifest.class_names)
    held = (data.task, data.image_shape, data.class_names)
    if candidate_form != held:
        told_words, held_words = (
            f"{task} of images of {_shape(shape)} in the classes {', '.join(names)}"
            for task, shape, names in (candidate_form, held)
        )
        raise EvaluationError(
            f"{bundle} is for {told_words}; {data.folder} for {held_words}; give a bundle of this "
            "project, or run the pipeline"
        )


def _parity_problem(manifest: Manifest, limits: ParityParams) -> str | None:
    """Why the model is not the one that was trained; None of bundles that do not tell."""
    if manifest.parity is None:
        return None
    return parity_problem(Parity.model_validate_json(json.dumps(manifest.parity)), limits)


def _measure(
    folders: dict[str, Path], data: PreparedDataset, settings: GateSettings
) -> list[Contender]:
    timing, evaluator = settings.benchmark, evaluator_of(data, settings.statistics)
    images, bundles = data.timed_images(timing.images), list(folders.values())
    timed = settings.timed or benchmark_on
    run = timed(settings.device, bundles, images, timing.timing)
    models = [load_predictor(bundle, threads=timing.threads) for bundle in bundles]
    return [
        Contender(title, evaluator.score(model), model.manifest.bytes, taken.latency_ms)
        for title, model, taken in zip(folders, models, run.bundles, strict=True)
    ]


def _notes(
    production: Manifest, data: PreparedDataset, now: DataParams, alias: str
) -> tuple[str, ...]:
    then = production.parameters.get("data") or {}
    kept = {"stable_split", "split", "seed", "group_by", "near_copies"}
    if now.stable_split and all(then.get(key) == now.model_dump()[key] for key in kept):
        return ()
    dataset = hashlib.sha256((data.folder / "dataset.json").read_bytes()).hexdigest()
    if production.dataset_sha256 == dataset:
        return ()
    return (
        f"{alias} was made from other data: images of this test split may be among those that "
        f"it was trained on, which speaks for {alias}; data.stable_split keeps them apart",
    )


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def find_candidate(project: Path) -> tuple[Path | None, str]:
    """Read the report's choice.

    Returns: the folder of the chosen variant, null where none is within the limits of `select`;
        and why.

    Raises:
        KdTasksError: the pipeline has written none yet.
    """
    paths = ProjectPaths(project)
    selection = Selection.read(paths.selection)
    bundle = paths.bundle(selection.chosen) if selection.chosen else None
    return bundle, selection.sentence


def fetch_production(
    objects: Objects, name: str, alias: str, *, cache: Cache, trusted: Sequence[PublicKey] = ()
) -> Production | None:
    """Pull the version that an alias stands for; null where there is no such alias yet.

    Args:
        trusted: whose signatures count, and those of their successors; if empty, unsigned versions
            are accepted.

    Raises:
        StoreUnreachableError: the store does not answer; what the cache holds may be outdated.
        StoreError: all that `pull` raises.
    """
    if objects.stat(alias_key(name, alias)) is None:
        return None
    pulled = Puller(objects=objects, cache=cache, trusted=trusted).pull(Reference(name, alias))
    if pulled.alias is None:
        raise StoreUnreachableError(pulled.unreachable)
    return Production(
        pulled.alias, pulled.version, pulled.folder, _skipped_versions(objects, pulled.alias.alias)
    )


def _skipped_versions(objects: Objects, alias: Alias) -> tuple[Version, ...]:
    """Versions that were there before an alias was moved, by the store's clock or people's own."""
    state = objects.stat(alias_key(alias.name, alias.alias))
    (model,) = list_models(objects, alias.name)
    return tuple(
        version
        for version, _ in fetch_versions(objects, [model]).values()
        if version.number != alias.version
        and (
            version.created < alias.moved
            # whoever published it may have a clock that is ahead
            or (state is not None and model.versions[version.number].modified < state.modified)
        )
    )
