from kdtasks.core.records.data import Dataset, Targets
from tests.core.records.conftest import RoundTrip

COUNTS = {"train": {"total": 2, "by_class": {"1": 1, "0": 1}}}


def test_a_dataset_without_findings(round_trip: RoundTrip):
    dataset = round_trip(
        Dataset,
        {
            "name": "digits",
            "task": "classification",
            "class_names": ["0", "1"],
            "image_shape": [28, 28, 1],
            "ignore_label": None,
            "counts": COUNTS,
            "sha256": {"train_images.npy": "02b0"},
            "duplicates": [],
            "contradictions": [],
            "excluded": [],
            "groups": {"total": 2, "shared": 0, "largest": 1},
            "split_by": "class",
        },
    )
    assert dataset.image_shape == (28, 28, 1)
    assert dataset.counts["train"].by_class["1"] == 1


def test_a_dataset_of_masks_with_all_findings(round_trip: RoundTrip):
    duplicate = {"images": ["a.png", "b.png"], "labels": ["land", "water"]}
    dataset = round_trip(
        Dataset,
        {
            "name": "aerial",
            "task": "segmentation",
            "class_names": ["land", "water"],
            "image_shape": [128, 128, 3],
            "ignore_label": 255,
            "counts": COUNTS,
            "sha256": {},
            "duplicates": [duplicate],
            "contradictions": [duplicate],
            "excluded": [{"path": "ü.png", "problem": "is empty"}],
            "groups": {"total": 2, "shared": 0, "largest": 1},
            "split_by": "image",
        },
    )
    assert dataset.contradictions == dataset.duplicates
    assert dataset.excluded[0].path == "ü.png"


def test_cached_targets(round_trip: RoundTrip):
    content = {
        "mode": "cached",
        "views": 4,
        "images": 3000,
        "classes": 10,
        "agreement": [0.926667, 1.0],
        "features": [{"layer": "pool", "shape": [8, 8, 4], "file": "features-0.npy"}],
    }
    targets = round_trip(Targets, content)
    assert targets.agreement == (0.926667, 1.0)
    assert targets.top_k is None
    assert round_trip(Targets, {**content, "top_k": 3}).top_k == 3


def test_online_targets(round_trip: RoundTrip):
    augmentation = {"views": 4, "shift": 0.07, "zoom": 1.0, "horizontal_flip": False, "seed": 0}
    targets = round_trip(
        Targets,
        {
            "mode": "online",
            "augmentation": augmentation,
            "batch_size": 256,
            "images": 3000,
            "features": [{"layer": "pool", "shape": [8, 8, 4]}],
        },
    )
    assert targets.augmentation == augmentation
    assert targets.features[0].file is None
