"""What a processor's speed depends on besides its name: clock governor, heat, throttling."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

# Of a Raspberry Pi's firmware: under-voltage, frequency capped, throttled, soft temperature limit.
# The same four bits say that it is so now, and 16 bits higher that it has been since the start.
_PI_NOW, _PI_SINCE_START = 0xF, 0xF0000


class Conditions(NamedTuple):
    """The state of a processor; None where Linux does not tell.

    Attributes:
        governor: of the processors' clocks; several are joined by commas.
        celsius: of the hottest sensor.
        throttle_count: how often a processor was slowed down since the start (x86).
        cooling: state of the cooling by a slower clock, 0 for none (ARM).
        pi_flags: bits of a Raspberry Pi's firmware.
    """

    governor: str | None
    celsius: float | None
    throttle_count: int | None
    cooling: int | None
    pi_flags: int | None


def read_conditions(root: Path = Path("/")) -> Conditions:
    """Read the state of this machine's processor; `root` is the folder that holds `sys`."""
    system = root / "sys"
    governors = sorted(set(_read(system, "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")))
    counts = _read(system, "devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")
    cooling = [
        int(state)
        for device in system.glob("class/thermal/cooling_device*")
        if any("cpufreq" in kind for kind in _read(device, "type"))
        for state in _read(device, "cur_state")
    ]
    return Conditions(
        governor=", ".join(governors) or None,
        celsius=max(map(_celsius, _read(system, "class/thermal/thermal_zone*/temp")), default=None),
        throttle_count=sum(found) if (found := [*map(int, counts)]) else None,
        cooling=max(cooling, default=None),
        pi_flags=next(
            (int(text, 16) for text in _read(system, "devices/platform/*/*firmware/get_throttled")),
            None,
        ),
    )


def is_throttled(before: Conditions, after: Conditions) -> bool | None:
    """Whether the processor was slowed down between two readings; None if nothing tells."""
    signs = []
    if before.throttle_count is not None and after.throttle_count is not None:
        signs.append(after.throttle_count > before.throttle_count)
    signs += [bool(each.cooling) for each in (before, after) if each.cooling is not None]
    if before.pi_flags is not None and after.pi_flags is not None:
        now = (before.pi_flags | after.pi_flags) & _PI_NOW
        signs.append(bool(now or (after.pi_flags & ~before.pi_flags & _PI_SINCE_START)))
    return any(signs) if signs else None


def describe_conditions(measured: Mapping[str, Any]) -> str:
    """Put what a run's speed depended on into words; `measured` is as of `BenchmarkRun`."""
    heat = [measured[f"celsius_{when}"] for when in ("before", "after")]
    degrees = " to ".join(f"{each:.0f}" for each in heat if each is not None)
    slowed = {None: "throttling unknown", False: "not throttled", True: "throttled meanwhile"}
    return ", ".join(
        [
            f"clock governor {measured['governor'] or 'unknown'}",
            f"{degrees} °C" if degrees else "temperature unknown",
            slowed[measured["throttled"]],
        ]
    )


def _celsius(millidegrees: str) -> float:
    return int(millidegrees) / 1000


def _read(folder: Path, pattern: str) -> Iterator[str]:
    for path in folder.glob(pattern):
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError:  # a sensor that is asleep
            continue
        if text:
            yield text
