from pathlib import Path

import pytest

from kdtasks.edge.conditions import Conditions, describe_conditions, is_throttled, read_conditions

UNKNOWN = Conditions(None, None, None, None, None)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys" / name).write_text(f"{content}\n")
    return root


def test_a_raspberry_pi(tmp_path):
    root = write(
        tmp_path,
        {
            "devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand",
            "devices/system/cpu/cpu1/cpufreq/scaling_governor": "ondemand",
            "class/thermal/thermal_zone0/temp": "48312",
            "class/thermal/cooling_device0/type": "cpufreq-cpu0",
            "class/thermal/cooling_device0/cur_state": "2",
            "class/thermal/cooling_device1/type": "pwm-fan",
            "class/thermal/cooling_device1/cur_state": "4",
            "devices/platform/soc/soc:firmware/get_throttled": "50005",
        },
    )
    assert read_conditions(root) == ("ondemand", 48.312, None, 2, 0x50005)


def test_an_x86_processor(tmp_path):
    cpu = "devices/system/cpu"
    root = write(
        tmp_path,
        {
            f"{cpu}/cpu0/cpufreq/scaling_governor": "powersave",
            f"{cpu}/cpu1/cpufreq/scaling_governor": "performance",
            f"{cpu}/cpu0/thermal_throttle/core_throttle_count": "3",
            f"{cpu}/cpu1/thermal_throttle/package_throttle_count": "4",
            "class/thermal/thermal_zone0/temp": "27800",
            "class/thermal/thermal_zone1/temp": "61000",
            "class/thermal/thermal_zone2/temp": "",  # asleep
        },
    )
    assert read_conditions(root) == ("performance, powersave", 61.0, 7, None, None)


def test_nothing_is_told(tmp_path):
    assert read_conditions(tmp_path) == UNKNOWN
    assert is_throttled(UNKNOWN, UNKNOWN) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"throttle_count": 7}, {"throttle_count": 7}, False),
        ({"throttle_count": 7}, {"throttle_count": 8}, True),
        ({"cooling": 0}, {"cooling": 0}, False),
        ({"cooling": 1}, {"cooling": 0}, True),
        ({"pi_flags": 0x50000}, {"pi_flags": 0x50000}, False),  # long ago
        ({"pi_flags": 0}, {"pi_flags": 0x40000}, True),  # meanwhile
        ({"pi_flags": 0}, {"pi_flags": 0x50005}, True),
        ({"cooling": 0, "throttle_count": 1}, {"cooling": 0, "throttle_count": 2}, True),
    ],
)
def test_throttling(before, after, expected):
    assert is_throttled(UNKNOWN._replace(**before), UNKNOWN._replace(**after)) is expected


def test_words():
    told = {"governor": "ondemand", "celsius_before": 48.3, "celsius_after": 61.6}
    assert describe_conditions(told | {"throttled": True}) == (
        "clock governor ondemand, 48 to 62 °C, throttled meanwhile"
    )
    nothing = dict.fromkeys(("governor", "celsius_before", "celsius_after", "throttled"))
    assert describe_conditions(nothing) == (
        "clock governor unknown, temperature unknown, throttling unknown"
    )
