"""Telemetry that agents have sent, as `kdtasks drift` reads it."""

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import TelemetryError
from kdtasks.deploy.agent.telemetry import TelemetrySpool
from kdtasks.deploy.store.address import telemetry_key
from kdtasks.deploy.store.catalogue import fetch_telemetry
from kdtasks.deploy.store.objects import Objects
from kdtasks.edge.telemetry import Telemetry

SUMMARY = Telemetry(
    model="digits",
    sha256="ab",
    begun="2026-11-26T00:00:00+00:00",
    ended="2026-11-26T01:00:00+00:00",
    exits=(3, 1),
    confidences=(0, 0, 0, 0, 0, 0, 0, 0, 1, 3),
    latencies=(4, *[0] * 15),
    device="a",
    version=3,
    rejected={"version": 4, "reason": "the self-test fails"},
)


@pytest.fixture
def send(objects: Objects) -> Callable[..., str]:
    def do(device: str, batch: str, text: str, name: str = "digits") -> str:
        key = telemetry_key(name, device, batch)
        objects.create(key, text.encode())
        return key

    return do


def test_all_devices_are_read(objects: Objects, send: Callable[..., str]):
    other = dataclasses.replace(SUMMARY, device="b")
    send("b", "1.jsonl", other.to_line())
    send("a", "1.jsonl", SUMMARY.to_line() * 2)
    send("a", "1.jsonl", SUMMARY.to_line(), name="letters")
    assert fetch_telemetry(objects, "digits") == [SUMMARY, SUMMARY, other]
    assert fetch_telemetry(objects, "digits", hours=1.0) == [SUMMARY, SUMMARY, other]


def test_a_batch_that_is_sent_again_is_there_once(objects: Objects, tmp_path: Path):
    spool = TelemetrySpool(tmp_path / "spool")
    spool.add(SUMMARY.to_line())
    (batch,) = spool.waiting()
    content = batch.read_bytes()
    for _ in range(2):
        assert spool.send(objects, name="digits", device="a") == 1
        batch.write_bytes(content)  # as if the answer of the store had been lost
    assert fetch_telemetry(objects, "digits") == [SUMMARY]


def test_what_is_older_is_left_aside(folder_objects: Any):
    for batch in ("1.jsonl", "2.jsonl"):
        folder_objects.create(telemetry_key("digits", "a", batch), SUMMARY.to_line().encode())
    old = time.time() - 7200
    os.utime(folder_objects.root / telemetry_key("digits", "a", "1.jsonl"), (old, old))
    assert len(fetch_telemetry(folder_objects, "digits", hours=1.0)) == 1
    assert len(fetch_telemetry(folder_objects, "digits", hours=3.0)) == 2


def test_none_and_damaged(folder_objects: Any):
    with pytest.raises(TelemetryError, match=r"holds no telemetry of digits of the last 2 hours;"):
        fetch_telemetry(folder_objects, "digits", hours=2.0)
    folder_objects.create(telemetry_key("digits", "a", "1.jsonl"), b"[1]")
    with pytest.raises(TelemetryError, match=r"telemetry/digits/a/1\.jsonl is no summary"):
        fetch_telemetry(folder_objects, "digits")
    folder_objects.delete(telemetry_key("digits", "a", "1.jsonl"))
    folder_objects.create(telemetry_key("digits", "a", "0.jsonl"), b"\xff")
    with pytest.raises(TelemetryError, match=r"0\.jsonl is no text"):
        fetch_telemetry(folder_objects, "digits")
