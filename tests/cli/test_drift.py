"""`kdtasks drift`: telemetry against production, and an event in Prefect."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.cli.gate import ProductionOptions, run_drift, telemetry_files
from kdtasks.core.errors import ProjectError, StoreMissingError, TelemetryError
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.edge.bundle_files import read_manifest
from kdtasks.edge.telemetry import Telemetry
from kdtasks.params import load_params
from tests.tools.complete_params import write_params
from tests.tools.pixel_bundles import write_pixel_bundle, write_pixel_dataset

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist-5k.yaml"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixel_models: tuple[bytes, bytes]):
    """A project with a model in production that is 90 % to 100 % sure of every test image."""
    write_params(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    params = load_params(tmp_path / "params.yaml")
    write_pixel_dataset(tmp_path / "data" / "prepared", params, [(300, True, True)])
    bundle = write_pixel_bundle(tmp_path / "bundle", pixel_models[0], temperatures=(0.5,))
    objects = open_objects(parse_address(str(tmp_path / "store")))
    objects.check_conditions()
    AliasMover(objects, "pixels", "production").advance(
        publish(objects, bundle, name="pixels").found
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def write_telemetry(project: Path, confidences: list[int]) -> Path:
    folder = project / "telemetry" / "device-7"
    folder.mkdir(parents=True, exist_ok=True)
    summary = Telemetry(
        model="pixels",
        sha256=read_manifest(project / "bundle").sha256,
        begun="then",
        ended="now",
        exits=(sum(confidences),),
        confidences=tuple(confidences),
    )
    (folder / "1.jsonl").write_text(summary.to_line(), encoding="utf-8")
    return project / "telemetry"


def run(project: Path, telemetry: Path, alias: str = "production") -> int:
    options = ProductionOptions(str(project / "store"), "pixels", alias)
    return run_drift(project, [telemetry], options)


def test_sure_answers_are_no_drift(shipped: Path, capsys):
    telemetry = write_telemetry(shipped, [0] * 9 + [500])
    assert run(shipped, telemetry) == 0
    told = capsys.readouterr().out
    assert told.startswith("pixels@production, version 1: no drift in 500 answers (exits 0.000, ")


def test_unsure_answers_are_drift_and_prefect_is_told(
    shipped: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    telemetry = write_telemetry(shipped, [0] * 5 + [250] + [0] * 3 + [250])
    monkeypatch.setattr("kdtasks.cli.gate.configured_server", lambda project: None)
    assert run(shipped, telemetry) == 3
    captured = capsys.readouterr()
    assert "version 1: confidences and low confidences of 500 answers have drifted" in captured.out
    told_nobody = "no Prefect server is configured, so no event was sent"
    assert captured.err.splitlines()[-1] == told_nobody

    told: list[Any] = []
    for module in ("cli.gate", "orchestrate.prefect_server"):
        where = f"kdtasks.{module}.configured_server"
        monkeypatch.setattr(where, lambda project: "http://it")
    monkeypatch.setattr("kdtasks.orchestrate.prefect_server.is_answering", lambda url: True)
    monkeypatch.setattr("flows.drift.tell_prefect", lambda *words: told.append(words))
    assert run(shipped, telemetry) == 3
    ((name, payload),) = told
    assert name == "pixels"
    assert (payload["version"], payload["answers"], payload["is_drift"]) == (1, 500, True)
    assert np.isfinite(payload["confidences"])
    assert (
        capsys.readouterr().err.splitlines()[-1]
        == "sent an event to the Prefect server at http://it"
    )


def test_without_files_the_store_is_read(shipped: Path, capsys):
    telemetry = write_telemetry(shipped, [0] * 9 + [500])
    (shipped / "store" / "telemetry").mkdir()
    telemetry.rename(shipped / "store" / "telemetry" / "pixels")
    options = ProductionOptions(str(shipped / "store"), "pixels", "production")
    assert run_drift(shipped, [], options) == 0
    assert "no drift in 500 answers" in capsys.readouterr().out


def test_drift_that_cannot_be_told_is_an_error(shipped: Path, monkeypatch: pytest.MonkeyPatch):
    telemetry = write_telemetry(shipped, [0] * 5 + [250] + [0] * 3 + [250])
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(ProjectError, match=r":9/api does not answer; start it with `prefect serv"):
        run(shipped, telemetry)


def test_nothing_in_production(shipped: Path):
    telemetry = write_telemetry(shipped, [0] * 9 + [500])
    with pytest.raises(StoreMissingError, match="pixels has no alias staging, so there is nothing"):
        run(shipped, telemetry, alias="staging")


def test_files_of_telemetry(tmp_path: Path):
    for name in ("a/2.json", "a/b/1.jsonl", "a/notes.txt", "own.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = telemetry_files([tmp_path / "own.txt", tmp_path / "a"])
    assert found == [tmp_path / "own.txt", tmp_path / "a/2.json", tmp_path / "a/b/1.jsonl"]
    with pytest.raises(TelemetryError, match="gone not found; give files or folders"):
        telemetry_files([tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(TelemetryError, match=r"no \.json or \.jsonl file in .*empty"):
        telemetry_files([tmp_path / "empty"])
