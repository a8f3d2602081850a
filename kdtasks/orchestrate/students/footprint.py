"""What a student costs, known before it trains: of its untrained network, as an int8 file."""

import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kdtasks.compress.bundle.write import make_manifest, write_bundle
from kdtasks.compress.convert import convert
from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.tflite.arena import measure_arenas
from kdtasks.compress.tflite.estimated_latency import benchmark_at
from kdtasks.compress.tflite.metadata import sizes, with_longest_manifest
from kdtasks.core.errors import BundleError, ExportError, KdTasksError, ModelError, SweepError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Part, Record
from kdtasks.core.records.calibration import Calibration, ValidationPoint
from kdtasks.core.records.compress import ExitParity, Parity
from kdtasks.core.reproducibility import generator
from kdtasks.data.prepared import open_prepared
from kdtasks.edge.scores import NEVER
from kdtasks.learn.networks.build import BuiltModel, build
from kdtasks.orchestrate.students.space import Student
from kdtasks.orchestrate.sweep.grid import short_digest
from kdtasks.params import Params
from kdtasks.params.search import SearchParams
from kdtasks.report.selection import Violation, violations

_FORMAT = "int8"
_RANGES_FROM = 8  # images; ranges change neither bytes nor time


class Footprint(Part):
    """Costs of a student to its last exit; None where nobody asked, or another limit was broken.

    Attributes:
        macs: multiply-accumulates.
        bytes, gzip_bytes: at most, with thresholds and class names inside.
        arena_bytes: RAM by TensorFlow Lite Micro, of the segment that needs most.
        latency_ms: mean of one image on this machine or `select.device`.
        refused: why the network cannot be built or converted.
    """

    macs: int | None = None
    bytes: int | None = None
    gzip_bytes: int | None = None
    arena_bytes: int | None = None
    latency_ms: float | None = None
    refused: str | None = None

    def broken(self, limits: SearchParams, own_macs: int) -> list[Violation]:
        """The limits that are broken by what was measured."""
        if self.refused:
            return [Violation("refused", float("inf"), self.refused)]
        measured = {
            "max_macs": ("fraction of compute", _ratio(self.macs, own_macs)),
            "max_size_kb": ("size", _ratio(self.bytes, 1000)),
            "max_gzip_kb": ("gzipped size", _ratio(self.gzip_bytes, 1000)),
            "max_arena_kb": ("arena", _ratio(self.arena_bytes, 1000)),
            "max_latency_ms": ("latency", self.latency_ms),
        }
        known = {limit: pair for limit, pair in measured.items() if pair[1] is not None}
        return violations(limits, known)

    def cost(self, against: str) -> float:
        """The cost that accuracy is weighed against; all of a student within the limits have it."""
        return float(getattr(self, against))


class Footprints(Record):
    """`.kdtasks/students/scales.json`: what was measured, by the hash of what it depends on."""

    by_student: dict[str, Footprint]


class Scales:
    """Measures students once: what was measured is kept in a file, timings above all."""

    def __init__(self, project: Path, params: Params) -> None:
        """Take a project whose images are prepared.

        Raises:
            SweepError: the arena is limited and tflite-micro, which measures it, is missing.
        """
        paths, self._limits, self._project = ProjectPaths(project), params.search, project
        self._path, self._dataset = paths.students / "scales.json", open_prepared(paths.prepared)
        self.own_macs = int(self._build(params).macs()[-1])
        if self._limits.max_arena_kb is not None and not find_spec("tflite_micro"):
            raise SweepError(
                f"search.max_arena_kb is {self._limits.max_arena_kb:g}, and tflite-micro, which "
                "measures arenas, is missing: pip install tflite-micro, or set it to null"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the project's images."""
        return self._dataset.image_shape[:2]

    def weigh(self, student: Student) -> Footprint:
        """Measure a student as far as it is within the limits, the cheapest measurement first."""
        params = student.params
        kept = self._kept()
        depends_on: dict[str, Any] = {
            "data": {"image_size"},
            "student": {"model", "exits", "heads"},
            "compress": {"input"},
            "search": dict.fromkeys(SearchParams.model_fields.keys() - {"minutes", "student"}, True)
            | {"student": {"against"}},
            "benchmark": True,
            "select": {"device"},
        }
        identity = params.model_dump(mode="json", include=depends_on)
        key = short_digest([identity, self._dataset.image_shape, self._dataset.class_names])
        if key in kept:
            return kept[key]
        footprint = self._weigh(params)
        if not footprint.refused:  # which may be for want of a package
            Footprints(by_student=kept | {key: footprint}).write(self._path)
        return footprint

    def _kept(self) -> dict[str, Footprint]:
        try:
            return dict(Footprints.read(self._path).by_student)
        except KdTasksError:  # none yet, or of another version
            return {}

    def _weigh(self, params: Params) -> Footprint:
        limits = self._limits
        try:
            network = self._build(params)
            footprint = Footprint(macs=int(network.macs()[-1]))
            if footprint.broken(limits, self.own_macs):
                return footprint
            content = self._convert(network, raw_pixels=params.compress.input == "uint8")
            size = sizes(with_longest_manifest(content, self._dataset.class_names))
            footprint = footprint.model_copy(update=size.present())
            if limits.max_arena_kb is not None and not footprint.broken(limits, self.own_macs):
                arenas = measure_arenas(content).values()
                most = max(arena.total for arena in arenas)
                footprint = footprint.model_copy(update={"arena_bytes": most})
            is_timed = limits.max_latency_ms is not None or limits.student.against == "latency_ms"
            if is_timed and not footprint.broken(limits, self.own_macs):
                taken = self._time(content, network, params)
                footprint = footprint.model_copy(update={"latency_ms": taken})
        except (ModelError, ExportError, BundleError) as error:
            return Footprint(refused=str(error))
        return footprint

    def _build(self, params: Params) -> BuiltModel:
        student, (*size, channels) = params.student, self._dataset.image_shape
        height, width = (self._limits.student.image_sizes and params.data.image_size) or size
        return build(
            student.model,
            input_shape=(height, width, channels),
            num_classes=self._dataset.num_classes,
            exits=student.exits,
            heads=student.heads,
            layers=student.model.read_layers(self._project / student.start),
        )

    def _convert(self, network: BuiltModel, *, raw_pixels: bool) -> bytes:
        content = convert(
            network,
            number_format=_FORMAT,
            representative=_noise(_RANGES_FROM, network.input_shape),
            raw_pixels=raw_pixels,
        )
        return number_formats[_FORMAT]().optimize(content)

    def _time(self, content: bytes, network: BuiltModel, params: Params) -> float:
        """Time a bundle that no image leaves early, where `select` does; then it is thrown away."""
        macs, timing = tuple(network.macs()), params.benchmark
        never = Calibration(
            mode="none",
            score="max_probability",
            temperatures=(1.0,) * len(macs),
            thresholds=(NEVER,) * (len(macs) - 1),
            macs=macs,
            validation=ValidationPoint(accuracy=0.0, cost=1.0),  # nobody reads it
        )
        none = ExitParity(error=0.0, changed=0.0, interval=None)
        parity = Parity(rows=1, tolerance=0.0, exits=(none,) * len(macs))
        manifest = make_manifest(
            self._dataset, never, name="untrained", variant=_FORMAT, parity=parity, parameters={}
        )
        shape = {"shape": list(network.input_shape)}
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / _FORMAT
            described = replace(manifest, input=manifest.input | shape)
            write_bundle(bundle, content, described)
            images = _noise(timing.images, network.input_shape)
            run = benchmark_at(params.select.device, [bundle], images, timing.timing)
        return run.bundles[0].latency_ms.worst


def _noise(count: int, shape: tuple[int, ...]) -> np.ndarray:
    return generator("noise images").integers(0, 256, (count, *shape), np.uint8)


def _ratio(value: int | None, whole: int) -> float | None:
    return None if value is None else value / whole
