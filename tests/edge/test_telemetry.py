"""Counts of answers: what a device writes is what is read."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TelemetryError
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.telemetry import Telemetry, TelemetryCounter, confidence_counts, read_telemetry

SUMMARY = Telemetry(
    model="digits",
    sha256="ab",
    begun="2026-11-26T00:00:00+00:00",
    ended="2026-11-26T01:00:00+00:00",
    exits=(3, 1),
    confidences=(0, 0, 0, 0, 0, 0, 0, 0, 1, 3),
)


def test_ranges_of_confidence():
    counts = confidence_counts([0.0, 0.0999, 0.1, 0.55, 0.99, 1.0])
    assert counts.tolist() == [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert confidence_counts([]).tolist() == [0] * 10


def test_what_is_counted_is_what_the_model_answered(make_bundle, network):
    model = Classifier.load(make_bundle())
    counter = TelemetryCounter(model.manifest)
    predictions = [model.predict(image) for image in network.images]
    for prediction in predictions:
        counter.add(prediction)
    summary = counter.take()
    assert summary.answers == len(predictions)
    left_at = np.bincount([one.exit_index for one in predictions], minlength=3)
    assert summary.exits == tuple(left_at.tolist())
    assert summary.confidences == tuple(
        confidence_counts([one.confidence for one in predictions]).tolist()
    )
    assert (summary.model, summary.sha256) == ("tiny", model.manifest.sha256)
    assert summary.begun <= summary.ended
    assert counter.take().answers == 0


def test_lines_and_single_objects_are_read(tmp_path: Path):
    lines, single = tmp_path / "a.jsonl", tmp_path / "b.json"
    other = dataclasses.replace(SUMMARY, model="other")
    lines.write_text(SUMMARY.to_line() + "\n" + other.to_line(), encoding="utf-8")
    single.write_text(json.dumps(dataclasses.asdict(SUMMARY), indent=2), encoding="utf-8")
    assert read_telemetry(lines) == [SUMMARY, other]
    assert read_telemetry(single) == [SUMMARY]
    (tmp_path / "empty").touch()
    assert read_telemetry(tmp_path / "empty") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "is no summary of format_version 1; one was expected, with model"),
        ({"exits": [3, -1]}, r"has the exits \[3, -1\]; a list of counts"),
        ({"exits": "31"}, "has the exits '31'; a list of counts"),
        ({"confidences": [4.0] * 10}, "has the confidences .*; a list of counts"),
        ({"confidences": [4]}, "counts 4 answers by exit and 4 in 1 ranges of confidence"),
        ({"exits": [3, 2]}, "counts 5 answers by exit and 4 in 10 ranges"),
    ],
)
def test_a_summary_that_is_none(tmp_path: Path, change: dict[str, Any], message: str):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**dataclasses.asdict(SUMMARY), **change}), encoding="utf-8")
    with pytest.raises(TelemetryError, match=message):
        read_telemetry(path)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(TelemetryError, match=r"gone cannot be read"):
        read_telemetry(tmp_path / "gone")
    path = tmp_path / "cut.jsonl"
    path.write_text(SUMMARY.to_line() + SUMMARY.to_line()[:30], encoding="utf-8")
    with pytest.raises(TelemetryError, match=r"cut\.jsonl, line 2 is no JSON .*; remove it"):
        read_telemetry(path)
    path.write_text('{"format_version": 1}', encoding="utf-8")
    with pytest.raises(TelemetryError, match="lacks model, sha256, begun, ended, exits, conf"):
        read_telemetry(path)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(TelemetryError, match="is no summary of format_version 1"):
        read_telemetry(path)


def test_only_numpy_is_needed():
    import subprocess
    import sys

    code = (
        "import sys, kdtasks.edge.telemetry\n"
        "assert not {'tensorflow', 'scipy', 'pydantic', 'prefect', 'ai_edge_litert'} "
        "& set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_manifest_gives_the_number_of_exits(make_bundle):
    manifest = read_manifest(make_bundle())
    assert TelemetryCounter(manifest).take().exits == (0, 0, 0)
