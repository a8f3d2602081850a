"""Records of what a bundle takes: here, on devices, and on accelerators."""

from pydantic import Field

from kdtasks.core.accelerators import TargetFit
from kdtasks.core.latency import Latency
from kdtasks.core.records import Part, Record


class Timed(Part):
    """A bundle on some machine.

    Attributes:
        latency_ms: of validation images.
        exit_ms: [K], mean of the images that leave there; None where none does.
        exit_rate: [K], fraction of the images that leave there.
        peak_memory_mb: in MB (1,000,000 bytes).
    """

    latency_ms: Latency
    exit_ms: tuple[float | None, ...]
    exit_rate: tuple[float, ...]
    peak_memory_mb: float
    cpu: str


class TimedOnDevice(Timed):
    """A bundle on a device, and the state of its processor; attributes as of `BenchmarkRun`."""

    governor: str | None
    celsius_before: float | None
    celsius_after: float | None
    throttled: bool | None


class Benchmark(Record, Timed):
    """`metrics/benchmark/<variant>.json`: a bundle on this machine, and on `benchmark.devices`.

    Attributes:
        images: that were timed.
        rounds: how often each was.
        devices: by address.
        targets: accelerators of `benchmark.targets`, by name.
    """

    threads: int
    images: int
    rounds: int
    devices: dict[str, TimedOnDevice] = Field(default={})
    targets: dict[str, TargetFit] = Field(default={})

    def on(self, device: str | None) -> Timed | None:
        """Give what was measured on a device, None if nothing was; on this machine for None."""
        return self if device is None else self.devices.get(device)
