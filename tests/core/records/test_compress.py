from typing import Any

from kdtasks.core.records.compress import Compressed, Exported, Sensitivity
from tests.core.records.conftest import RoundTrip


def test_a_compressed_variant(round_trip: RoundTrip):
    content: dict[str, Any] = {
        "variant": "int8",
        "base_seed": 1,
        "parameters": 15046,
        "nonzero_parameters": 15046,
        "macs": [57728, 516992],
        "bytes": 21936,
        "gzip_bytes": 18407,
        "tensors": {"segment_0": {"image": "int8", "logits": "int8"}},
        "sparsity": 0.0,
        "distinct_weights": 205,
        "parity": {
            "rows": 300,
            "tolerance": 0.25,
            "exits": [
                {"error": 0.0327, "changed": 0.003333, "interval": [0.000589, 0.018638]},
                {"error": 0.0174, "changed": 0.0, "interval": None},
            ],
        },
        "validation": {"accuracy": [0.466, 0.9]},
    }
    compressed = round_trip(Compressed, content)
    assert compressed.tensors["segment_0"]["image"] == "int8"
    assert compressed.validation.mean_iou is None
    assert compressed.parity.set_ranges is False
    seen = {**content, "parity": {**content["parity"], "set_ranges": True}}
    assert round_trip(Compressed, seen).parity.set_ranges
    masks = {**content, "validation": {"accuracy": [0.8], "mean_iou": [0.6]}}
    assert round_trip(Compressed, masks).validation.mean_iou == (0.6,)


def test_sensitivity(round_trip: RoundTrip):
    layers = {"a+b": {"filters": 8, "0.25": 0.69, "0.5": 1.0}}
    found = round_trip(Sensitivity, {"rows": 500, "accuracy": 0.906, "layers": layers})
    assert found.layers == layers
    assert round_trip(Sensitivity, {"rows": 0, "accuracy": 0.0, "layers": {}}).layers == {}


def test_sizes(round_trip: RoundTrip):
    assert round_trip(Exported, {"bytes": 21776, "gzip_bytes": 18248}).gzip_bytes == 18248
