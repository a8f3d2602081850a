"""Times on devices, on the page and in the choice of a variant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.files import read_json, write_json

PI, TPU = "ssh://pi", "ssh://bench@10.0.0.7:2222"
STATE = {"governor": "ondemand", "celsius_before": 48.0, "celsius_after": 61.0, "throttled": True}
# As in params: here the choice falls on int8, which is the fastest.
LATENCY = {"objective": "latency", "max_accuracy_drop": None, "max_size_kb": None}


def timed_there(root: Path, variants: dict[str, dict[str, float]]) -> None:
    """Add times on devices: mean milliseconds by variant and device."""
    for variant, means in variants.items():
        path = root / f"metrics/benchmark/{variant}.json"
        content = read_json(path)
        common = {key: content[key] for key in ("exit_ms", "exit_rate")}
        content["devices"] = {
            device: common
            | STATE
            | {
                "latency_ms": dict.fromkeys(("mean", "p50", "p90", "p99", "worst"), mean),
                "peak_memory_mb": 33.3,
                "cpu": f"Processor of {device}",
            }
            for device, mean in means.items()
        }
        write_json(path, content)


def test_the_device_that_counts_decides(build: Callable[..., Path], params_content: dict[str, Any]):
    names = params_content["compress"]["variants"]
    slow = {name: {PI: 40.0 if name == "int8" else 50.0, TPU: 7.0} for name in names}
    slow["float32"][PI] = 30.0
    report = build(
        change=lambda root: timed_there(root, slow),
        benchmark={"devices": [PI, TPU]},
        select={**params_content["select"], **LATENCY, "device": PI},
    )
    selection = read_json(report / "selection.json")
    assert selection["limits"]["device"] == PI
    assert selection["chosen"] == "float32"
    assert selection["candidates"]["int8"]["latency_ms"]["mean"] == 40.0
    assert f"mean 30\u00a0ms an image on {PI}" in selection["headline"]
    assert f"Times are of Processor of {PI}," in (report / "card.md").read_text(encoding="utf-8")
    page = " ".join((report / "index.html").read_text(encoding="utf-8").split())
    section = page.partition("<h3>On devices</h3>")[2].partition("</table>")[0]
    assert section.count(PI) == 2 * len(names)  # with its processor
    assert section.count(f"<th>{TPU}</th>") == section.count("<th>this machine</th>") == len(names)
    assert section.count("✓ judged") == len(names)
    assert "clock governor ondemand, 48 to 61 °C, throttled meanwhile" in section


def test_a_device_that_has_not_timed_a_variant_yet(
    build: Callable[..., Path], params_content: dict[str, Any]
):
    report = build(
        change=lambda root: timed_there(root, {"float32": {PI: 30.0}}),
        benchmark={"devices": [PI]},
        select={**params_content["select"], **LATENCY, "device": PI},
    )
    selection = read_json(report / "selection.json")
    assert selection["chosen"] == "float32"
    assert selection["candidates"]["int8"]["reasons"] == ["its latency was not measured"]
    assert "int8 was not timed: not on ssh://pi yet;" in (report / "index.html").read_text()


def test_what_an_accelerator_leaves_has_no_latency(
    build: Callable[..., Path], params_content: dict[str, Any]
):
    npu = "ethos-u55-128"

    def change(root: Path) -> None:  # the first variant is float32
        timed_there(root, {name: {npu: 0.5} for name in params_content["compress"]["variants"]})
        timed_there(root, {"float32": {}})

    chosen_by = {**params_content["select"], **LATENCY}
    report = build(change=change, benchmark={"devices": [npu]}, select=chosen_by | {"device": npu})
    selection = read_json(report / "selection.json")
    assert selection["candidates"]["float32"]["reasons"] == ["its latency was not measured"]
    assert selection["chosen"] != "float32"
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "float32 was not timed: ethos-u55-128 would leave its work to the processor." in page
    other = build(change=change, benchmark={"devices": [npu]}, select=chosen_by)
    assert f"<th>{npu}</th>" in (other / "index.html").read_text(encoding="utf-8")


def test_without_devices_nothing_is_said_of_them(build: Callable[..., Path]):
    report = build()
    limits = read_json(report / "selection.json")["limits"]
    assert "device" not in limits
    assert "On devices" not in (report / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"select": {"device": PI}},
            r"select\.device is ssh://pi, benchmark\.devices is \[\]; add",
        ),
        ({"benchmark": {"devices": ["pi"]}}, r"'pi' is no device; give ssh://"),
        ({"benchmark": {"devices": [PI, PI]}}, r"benchmark\.devices lists a value twice"),
    ],
)
def test_params_that_name_no_device(params_content: dict[str, Any], changes, message):
    from kdtasks.core.errors import ParamsError
    from kdtasks.params import parse_params

    content = {**params_content}
    for section, values in changes.items():
        content[section] = {**content.get(section, {}), **values}
    with pytest.raises(ParamsError, match=message):
        parse_params(content)
