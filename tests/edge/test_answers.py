from types import SimpleNamespace

import numpy as np
import pytest

from kdtasks.core.errors import BundleError
from kdtasks.edge.classifier import Classifier, predict_batch
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.segments import TensorSpec


class StoredSegments:
    """Segments that look the logits of an image up by its only pixel."""

    count, input_shape, num_classes, logits_shape = 2, (1, 1, 1), 2, (2,)
    logits_specs = [TensorSpec((1, 2), np.dtype(np.float32), 0.0, 0)] * 2

    def __init__(self, logits):
        self.stored = np.asarray(logits, np.float32)

    def begin(self, image):
        self.row = image.item()

    def run(self, index):
        return self.stored[self.row][index]

    def logits_of(self, images):
        return self.stored[images.ravel()]


def model_of(logits) -> Classifier:
    manifest = SimpleNamespace(
        task="classification",
        segments=2,
        input_shape=(1, 1, 1),
        class_names=("ant", "bee"),
        score="max_probability",
        temperatures=(1.0, 1.0),
        thresholds=(0.7,),
    )
    stored: object = StoredSegments(logits)
    fields: object = manifest
    assert isinstance(Manifest, type)
    return Classifier(stored, fields)  # type: ignore[arg-type]


LOGITS = np.log([[[3.0, 1.0], [1.0, 3.0]], [[1.0, 1.5], [3.0, 1.0]], [[1.0, 9.0], [1.0, 1.0]]])
IMAGES = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)


def test_answers_by_hand():
    answers = predict_batch(model_of(LOGITS), IMAGES)
    # Scores of the first exit: 0.75, 0.6 and 0.9 against 0.7.
    assert answers.exit_index.tolist() == [0, 1, 0]
    assert answers.by_exit.tolist() == [[0, 1], [1, 0], [1, 0]]
    assert answers.predicted.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(answers.logits, LOGITS.astype(np.float32))


def test_a_model_that_changes_its_mind_is_refused():
    model = model_of(LOGITS)
    model.segments.logits_of = lambda images: LOGITS[::-1]  # type: ignore[method-assign]
    with pytest.raises(BundleError, match=r"image 0 gets \(class, exit\) \(0, 0\) with early"):
        predict_batch(model, IMAGES)
    assert predict_batch(model, IMAGES, checked=0).exit_index.tolist() == [0, 1, 0]
