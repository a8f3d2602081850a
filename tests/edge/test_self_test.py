import dataclasses
import hashlib

import numpy as np
import pytest

from kdtasks.core.errors import BundleError
from kdtasks.edge.bundle_files import SELF_TEST
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.segments import Segments
from kdtasks.edge.self_test import SelfTest


@pytest.fixture
def stored(network):
    """A self-test of the tiny network, and a function that writes it into its bundle."""
    images = network.images[:3]
    logits = Segments(network.float32).logits_of(images)
    return SelfTest(images, logits, np.array([0.1, 0.1, 0.2], np.float32))


@pytest.fixture
def bundle_with(make_bundle):
    def make(content: bytes):
        about = {"file": SELF_TEST, "sha256": hashlib.sha256(content).hexdigest(), "images": 3}
        folder = make_bundle(self_test=about)
        (folder / SELF_TEST).write_bytes(content)
        return folder

    return make


def test_a_device_that_answers_the_same_passes(stored, bundle_with, network):
    model = Classifier.load(bundle_with(stored.to_bytes()))
    assert model.self_test() == 3
    np.testing.assert_array_equal(model.test_images, network.images[:3])


def test_the_first_difference_beyond_tolerance_is_named(stored, bundle_with):
    logits = stored.logits.copy()
    logits[1, 2, 3] += 0.19
    assert Classifier.load(
        bundle_with(dataclasses.replace(stored, logits=logits).to_bytes())
    ).self_test()
    logits[1, 2, 3] += 0.1
    logits[2, 0, 0] += 9
    model = Classifier.load(bundle_with(dataclasses.replace(stored, logits=logits).to_bytes()))
    with pytest.raises(BundleError, match=r"fails at image 1, exit 2: logit 3 is .* within 0\.2"):
        model.self_test()


def test_what_is_no_number_fails(stored, bundle_with):
    logits = stored.logits.copy()
    logits[0, 0, 1] = np.nan
    model = Classifier.load(bundle_with(dataclasses.replace(stored, logits=logits).to_bytes()))
    with pytest.raises(BundleError, match=r"image 0, exit 0: logit 1 is .* nan was expected"):
        model.self_test()


def test_a_place_in_a_mask_is_named(network):
    class Masks(Segments):
        def __init__(self):
            pass

        def steps(self, image):
            yield np.zeros((2, 2, 3), np.float32)

    expected = np.zeros((1, 1, 2, 2, 3), np.float32)
    expected[0, 0, 1, 0, 2] = 1
    test = SelfTest(np.zeros((1, 2, 2, 1), np.uint8), expected, np.zeros(1, np.float32))
    with pytest.raises(BundleError, match=r"logit \[1, 0, 2\] is 0, 1 was expected"):
        test.check(Masks())


def test_a_bundle_without_a_self_test_says_so(make_bundle):
    model = Classifier.load(make_bundle())
    assert model.test_images is None
    with pytest.raises(BundleError, match="the bundle of tiny has no self-test; export it again"):
        model.self_test()


def test_a_self_test_that_is_missing_damaged_or_foreign_is_refused(stored, bundle_with):
    content = stored.to_bytes()
    folder = bundle_with(content)
    (folder / SELF_TEST).write_bytes(content[:-1])
    with pytest.raises(BundleError, match=r"self_test\.npz has the SHA-256"):
        Classifier.load(folder)
    (folder / SELF_TEST).unlink()
    with pytest.raises(BundleError, match=r"self_test\.npz was not found"):
        Classifier.load(folder)
    with pytest.raises(BundleError, match=r"self_test\.npz is damaged"):
        Classifier.load(bundle_with(content[: len(content) // 2]))
    small = dataclasses.replace(stored, images=stored.images[:, :2])
    with pytest.raises(BundleError, match=r"'\|u1', \(3, 2, 5, 1\).*'\|u1', \(3, 6, 5, 1\)"):
        Classifier.load(bundle_with(small.to_bytes()))


def test_the_same_arrays_give_the_same_bytes(stored):
    assert stored.to_bytes() == stored.to_bytes()
