"""The work pool for Kubernetes: its job is one that the cluster's own models know."""

import json
from pathlib import Path
from typing import Any

from kubernetes import client
from prefect.utilities.templating import apply_values

POOL = Path(__file__).parents[1] / "examples" / "kubernetes" / "work-pool.json"


def read(manifest: Any) -> Any:
    return client.ApiClient().deserialize(json.dumps(manifest), "V1Job", "application/json")


def written(job: Any) -> Any:
    return client.ApiClient().sanitize_for_serialization(job)


def lost(given: Any, known: Any, path: str = "") -> list[str]:
    """Places of a manifest that the models do not know, or know otherwise."""
    if isinstance(given, dict):
        return [
            place
            for key, value in given.items()
            for place in lost(value, (known or {}).get(key), f"{path}/{key}")
        ]
    if isinstance(given, list) and isinstance(known, list) and len(given) == len(known):
        return [place for pair in zip(given, known, strict=True) for place in lost(*pair, path)]
    return [] if given == known else [path]


def test_a_run_becomes_a_job():
    pool = json.loads(POOL.read_text("utf-8"))
    variables = pool["variables"]["properties"]
    values = {name: one["default"] for name, one in variables.items() if "default" in one}
    given = {
        "env": [{"name": "PREFECT_API_URL", "value": "http://server:4200/api"}],
        "command": ["prefect", "flow-run", "execute"],
        "labels": {"part-of": "prefect"},
        "annotations": {"run": "grey-fox"},
    }
    manifest = apply_values(pool["job_configuration"]["job_manifest"], values | given)
    assert "{{" not in json.dumps(manifest)
    job = read(manifest)
    assert lost(manifest, written(job)) == []
    assert job.spec.template.spec.containers[0].image == "kdtasks-pipeline"


def test_what_the_models_do_not_know_is_found():
    manifest = {"kind": "Job", "spec": {"template": {"spec": {"completions": 1, "containers": []}}}}
    assert lost(manifest, written(read(manifest))) == ["/spec/template/spec/completions"]
