"""Limits that need no training: measured of an untrained network, the cheapest first, and once."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from kdtasks.compress.number_formats import number_formats
from kdtasks.compress.tflite import estimated_latency
from kdtasks.core.errors import BundleError, ExportError, SweepError
from kdtasks.core.latency import Latency
from kdtasks.edge.benchmark import BundleTimes
from kdtasks.orchestrate.students import footprint
from kdtasks.orchestrate.students.footprint import Footprint, Scales
from kdtasks.orchestrate.students.space import list_students
from kdtasks.params import Params
from tests.orchestrate.students.conftest import with_space
from tests.tools.datasets import describe_dataset
from tests.tools.tuning import tiny_params

# The student: 3×3 to 4 filters at 8×8, pooled, flattened to 64, ten classes.
OWN_MACS = 8 * 8 * 9 * 4 + 64 * 10


@pytest.fixture(autouse=True)
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple("0123456789")
    dataset = describe_dataset(tmp_path, class_names=names, image_shape=(8, 8, 1))
    monkeypatch.setattr(footprint, "open_prepared", lambda folder: dataset)


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The filters of each network that was converted, to a thousand bytes a filter."""
    found: list[int] = []

    def convert(network: Any, **options: Any) -> bytes:
        found.append(network.network.get_layer("block_1_1_conv").filters)
        return bytes(1000 * found[-1])

    monkeypatch.setattr(footprint, "convert", convert)
    monkeypatch.setattr(footprint, "with_longest_manifest", lambda content, names: content)
    monkeypatch.setattr(number_formats["int8"], "optimize", lambda self, content: content)
    return found


def weighed(
    project: Path, widths: list[float], limits: dict[str, Any], **space: Any
) -> list[tuple[Footprint, list[str]]]:
    params: Params = with_space(tiny_params(), limits, widths=widths, depths=[0], **space)
    scales = Scales(project, params)
    assert scales.own_macs == OWN_MACS
    found = [scales.weigh(student) for student in list_students(params)[0].values()]
    return [(it, [each.reason for each in it.broken(params.search, OWN_MACS)]) for it in found]


def test_what_breaks_the_cheapest_limit_is_not_converted(tmp_path: Path, converted: list[int]):
    limits = {"max_macs": 0.9, "max_size_kb": 2.5}
    (wide, over), (narrow, none), (narrower, _) = weighed(tmp_path, [1.0, 0.5, 0.25], limits)
    assert wide == Footprint(macs=OWN_MACS)
    assert over == ["fraction of compute, 100.0\u00a0%, is over 90.0\u00a0% (max_macs)"]
    assert (narrow.bytes, none) == (2000, [])
    assert narrower.bytes == 1000
    assert converted == [2, 1]


def test_each_is_measured_once_unless_other_limits_ask_for_more(
    tmp_path: Path, converted: list[int]
):
    first = weighed(tmp_path, [1.0], {"max_size_kb": 3.0})
    assert first[0][1] == ["size, 4.0\u00a0kB, is over 3.0\u00a0kB (max_size_kb)"]
    assert weighed(tmp_path, [1.0], {"max_size_kb": 3.0}) == first
    assert converted == [4]
    assert weighed(tmp_path, [1.0], {"max_size_kb": 4.0})[0][1] == []
    assert converted == [4, 4]


def test_a_network_that_cannot_be_built_or_converted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(network: Any, **options: Any) -> bytes:
        raise ExportError("not of this network")

    monkeypatch.setattr(footprint, "convert", refuse)
    ((found, reasons),) = weighed(tmp_path, [1.0], {})
    assert found.refused == "not of this network"
    assert reasons == ["not of this network"]


def test_an_accelerator_is_asked_for_its_estimate_and_a_refusal_is_not_kept(
    tmp_path: Path, converted: list[int], monkeypatch: pytest.MonkeyPatch
):
    """It is no machine to be reached; what it needs may be installed by the next search."""
    content = tiny_params().model_dump(mode="json")
    content["benchmark"] |= {"devices": ["ethos-u55-128"]}
    content["select"] |= {"device": "ethos-u55-128"}
    own = Params.model_validate(content)
    params = with_space(own, {"max_latency_ms": 1.0}, widths=[1.0], depths=[0])
    (student,) = list_students(params)[0].values()
    timed = BundleTimes(Latency(1, 1, 1, 1, worst=0.5), (0.5,), (1.0,))
    answers = Mock(side_effect=[BundleError("Vela is missing"), [Mock(milliseconds=0.5, sram=1)]])
    monkeypatch.setattr(estimated_latency, "_segments", answers)
    monkeypatch.setattr(estimated_latency, "time_bundles", lambda *_: Mock(bundles=(timed,)))
    monkeypatch.setattr(footprint, "write_bundle", Mock())
    assert Scales(tmp_path, params).weigh(student).refused == "Vela is missing"
    found = Scales(tmp_path, params).weigh(student)
    assert found.latency_ms == 0.5
    assert Scales(tmp_path, params).weigh(student) == found
    assert answers.call_count == 2


def test_a_resolution_is_that_of_the_network(tmp_path: Path, converted: list[int]):
    sizes = [[8, 8], [4, 4]]
    (own, _), (small, _) = weighed(tmp_path, [1.0], {}, image_sizes=sizes)
    assert own.macs == OWN_MACS
    assert small.macs == 4 * 4 * 9 * 4 + 16 * 10


def test_arenas_need_tflite_micro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(footprint, "find_spec", lambda name: None)
    with pytest.raises(SweepError, match=r"max_arena_kb is 20, and tflite-micro.* is missing"):
        weighed(tmp_path, [1.0], {"max_arena_kb": 20.0})


@pytest.mark.slow
def test_real_files_are_weighed_and_timed(tmp_path: Path):
    """With an early exit, which no image takes."""
    content = tiny_params().model_dump(mode="json")
    content["student"] |= {"model": {"name": "cnn", "filters": [4, 4]}, "exits": ["block_1"]}
    content["benchmark"] |= {"images": 3, "warmup": 1}
    own = Params.model_validate(content)
    space = {"widths": [1.0, 16.0], "depths": [0], "against": "latency_ms"}
    params = with_space(own, {"max_latency_ms": 1000.0}, **space)
    scales = Scales(tmp_path, params)
    narrow, wide = (scales.weigh(student) for student in list_students(params)[0].values())
    assert narrow.refused is None
    assert wide.bytes
    assert narrow.bytes
    # more weights, a byte each, of the convolutions alone
    assert wide.bytes - narrow.bytes > 9 * (64 - 4) + 9 * (64 * 64 - 4 * 4)
    assert narrow.latency_ms
    assert wide.latency_ms
    assert not wide.broken(params.search, scales.own_macs)
