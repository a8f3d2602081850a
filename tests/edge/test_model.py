import subprocess
import sys
from unittest import mock

import numpy as np
import pytest

from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.chain import SignatureChain
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.scores import ALWAYS, NEVER, SCORES, softmax


def leave(logits, temperatures, thresholds):
    """Follow the definition of the policy, one exit after the other."""
    for k, threshold in enumerate((*thresholds, 0.0)):
        probabilities = softmax(logits[k], temperatures[k])
        if probabilities.max() >= threshold:
            return int(logits[k].argmax()), k, probabilities
    raise AssertionError


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_predictions_follow_the_policy(network, make_bundle, kind):
    model = Classifier.load(make_bundle(getattr(network, kind)))
    exits = []
    for image in network.images:
        prediction = model.predict(image)
        class_index, exit_index, probabilities = leave(
            model.segments.logits(image), (2.0, 1.0, 0.5), (0.6, 0.6)
        )
        assert (prediction.class_index, prediction.exit_index) == (class_index, exit_index)
        assert prediction.label == ("ant", "bee", "cat", "dog")[class_index]
        assert prediction.confidence == probabilities.max()
        np.testing.assert_array_equal(prediction.probabilities, probabilities)
        exits.append(exit_index)
    assert set(exits) == {0, 1, 2}  # or the test would say nothing about some exit


def test_without_early_exits_every_image_has_the_last_ones_answer(network, make_bundle):
    model = Classifier.load(make_bundle())
    whole = model.without_early_exits()
    assert {whole.predict(image).exit_index for image in network.images} == {2}
    for image in network.images[:5]:
        expected = int(model.segments.logits(image)[2].argmax())
        assert whole.predict(image).class_index == expected
    assert model.thresholds == (0.6, 0.6)


@pytest.mark.parametrize("score", SCORES)
def test_every_score_can_decide(network, make_bundle, score):
    # Halfway between the scores of all images, so that some leave and some go on.
    plain = Classifier.load(make_bundle())
    scores = SCORES[score](plain.segments.logits_of(network.images), np.array([2.0, 1.0, 0.5]))
    thresholds = np.median(scores, axis=0)[:2].tolist()
    model = Classifier.load(make_bundle(score=score, thresholds=thresholds))
    exits = [model.predict(image).exit_index for image in network.images]
    expected = [0 if s[0] >= thresholds[0] else 1 if s[1] >= thresholds[1] else 2 for s in scores]
    assert exits == expected
    assert set(exits) == {0, 1, 2}


@pytest.mark.parametrize(
    ("thresholds", "left_at"), [((0, 0), 0), ((2, ALWAYS), 1), ((2.0, NEVER), 2)]
)
def test_later_segments_are_not_run(network, make_bundle, thresholds, left_at):
    model = Classifier.load(make_bundle(), thresholds=thresholds)
    with mock.patch.object(
        SignatureChain, "run", autospec=True, side_effect=SignatureChain.run
    ) as run:
        assert model.predict(network.images[0]).exit_index == left_at
    assert [call.args[1] for call in run.call_args_list] == list(range(left_at + 1))


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([0.5], "thresholds given: 1; a model with 3 exits takes 2, one for each"),
        ([0.5, 0.5, 0.5], "thresholds given: 3; "),
        ([0.5, float("inf")], r"each a finite number .*, got \(0.5, inf\)"),
        ([float("nan"), 0.5], r"got \(nan, 0.5\)"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(make_bundle, thresholds, message):
    with pytest.raises(BundleError, match=message):
        Classifier.load(make_bundle(), thresholds=thresholds)


def test_a_damaged_model_is_refused(network, make_bundle):
    folder = make_bundle()
    content = bytearray(network.float32)
    content[-1] ^= 1
    (folder / "model.tflite").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.tflite has the SHA-256 .* the file is damaged"):
        Classifier.load(folder)


def test_a_missing_model_is_refused(make_bundle):
    folder = make_bundle()
    (folder / "model.tflite").unlink()
    with pytest.raises(BundleError, match=r"model\.tflite was not found"):
        Classifier.load(folder)


def test_a_manifest_of_another_model_is_refused(make_bundle):
    with pytest.raises(
        BundleError, match=r"\(3, \(6, 5, 1\), \(4,\)\), its manifest says .* \(2,\)\)"
    ):
        Classifier.load(make_bundle(class_names=["ant", "bee"]))
    with pytest.raises(BundleError, match="task is segmentation"):
        Classifier.load(make_bundle(task="segmentation"))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((6, 5), np.uint8), r"uint8 \[6, 5\], the model takes uint8 \[6, 5, 1\]"),
        (np.zeros((1, 6, 5, 1), np.uint8), r"uint8 \[1, 6, 5, 1\]"),
        (np.zeros((6, 5, 1), np.float32), r"float32 \[6, 5, 1\], the model takes uint8"),
    ],
)
def test_images_of_another_form_are_refused(make_bundle, image, message):
    with pytest.raises(DatasetError, match=message):
        Classifier.load(make_bundle()).predict(image)


def test_the_runtime_needs_numpy_and_litert_alone(make_bundle):
    script = """if True:
        import sys
        import numpy as np
        from kdtasks.edge.classifier import Classifier
        Classifier.load(sys.argv[1]).predict(np.zeros((6, 5, 1), np.uint8))
        heavy = {"tensorflow", "tf_keras", "pydantic", "PIL", "typer", "scipy", "ruamel", "dvc"}
        print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
        print(sorted(name for name in sys.modules if name.startswith("kdtasks.")))
    """
    finished = subprocess.run(
        [sys.executable, "-c", script, str(make_bundle())],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, own = finished.stdout.splitlines()
    assert heavy == "[]"
    assert "kdtasks.core.errors" in own
    assert not {"kdtasks.params", "kdtasks.evaluate.exits", "kdtasks.core.files"} & set(eval(own))
