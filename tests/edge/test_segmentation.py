"""Tiles put together, on networks whose answers are known for images of any size."""

import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import kdtasks.edge
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.classifier import Classifier
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.segmenter import Segmenter
from tests.tools.segmentation_bundles import SHAPE, convert_colour_model, write_colour_bundle


@pytest.fixture(scope="session")
def make_segmentation_bundle(tmp_path_factory: pytest.TempPathFactory):
    """Give a function that writes a bundle folder, with changes to its manifest.

    Two networks: the brightest channel wins, by itself or in its 3×3 mean.
    """
    contents = {
        name: convert_colour_model(tmp_path_factory.mktemp("saved"), side=side)
        for name, side in (("pixelwise", 1), ("mean", 3))
    }

    def make(name: str = "pixelwise", **changes) -> Path:
        return write_colour_bundle(tmp_path_factory.mktemp("bundle"), contents[name], **changes)

    return make


@pytest.fixture(scope="session")
def pixelwise(make_segmentation_bundle) -> Segmenter:
    return Segmenter.load(make_segmentation_bundle())


@pytest.fixture(scope="session")
def averaging(make_segmentation_bundle) -> Segmenter:
    return Segmenter.load(make_segmentation_bundle("mean"))


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_images_of_the_models_size_are_answered_one_by_one(pixelwise: Segmenter):
    images = draw(4, *SHAPE)
    logits = pixelwise.logits(images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, images, rtol=1e-6)
    classes = pixelwise.classes(images)
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes, images.argmax(axis=-1))
    assert pixelwise.logits(images[:0]).shape == (0, *SHAPE)
    assert pixelwise.classes(images[:0]).shape == (0, 8, 12)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 40), st.just(3)).flatmap(
        lambda shape: arrays.arrays(np.uint8, shape)
    ),
    st.floats(0, 0.5),
)
def test_a_pixelwise_network_answers_as_if_there_were_no_tiles(
    pixelwise: Segmenter, image: np.ndarray, overlap: float
):
    found = pixelwise.predict(image, overlap).mask
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, image.argmax(axis=-1))


def test_a_image_of_the_models_size_is_one_tile(averaging: Segmenter):
    (image,) = images = draw(1, *SHAPE)
    np.testing.assert_array_equal(averaging.predict(image).mask, averaging.classes(images)[0])


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (8, 13), (20, 31), (5, 7)])
def test_no_seams_show(averaging: Segmenter, size: tuple[int, int]):
    # Bright red: at a tile's edge the zeros beyond it darken the mean so far that blue would win.
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0] = 200
    tile = np.zeros((1, *SHAPE), np.uint8)
    tile[..., 0] = 200
    assert averaging.classes(tile)[0, 0].tolist() == [2] * 12
    assert averaging.classes(tile)[0, 4].tolist() == [2, *[0] * 10, 2]
    found = averaging.predict(image).mask
    # Where the image is as narrow as a tile or narrower by a pixel, a tile's edge is its own.
    inner = found[1:-1] if size[0] == SHAPE[0] else found
    assert not inner.any()
    if max(size) > 13:
        assert averaging.predict(image, overlap=0).mask.any()


@settings(deadline=None, max_examples=30)
@given(st.integers(16, 40), st.integers(24, 60), st.integers(0, 40), st.integers(0, 40))
def test_answers_do_not_depend_on_how_far_the_image_goes_on(
    averaging: Segmenter, height: int, width: int, more_rows: int, more_columns: int
):
    whole = draw(height + more_rows, width + more_columns, 3)
    part = averaging.predict(whole[:height, :width]).mask
    rows, columns = height - 2 * SHAPE[0] + 1, width - 2 * SHAPE[1] + 1
    found = averaging.predict(whole).mask
    np.testing.assert_array_equal(found[:rows, :columns], part[:rows, :columns])


def test_only_a_row_of_tiles_is_kept(pixelwise: Segmenter):
    image = draw(3000, 40, 3)
    pixelwise.predict(image[:50])
    tracemalloc.start()
    try:
        pixelwise.predict(image)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The answer is 120 kB, the places of its rows 24 kB; all logits would be 1.4 MB.
    assert peak < 300_000


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 20, 1), np.uint8), r"uint8 \[20, 20, 1\], .* \[height, width, 3\]"),
        (np.zeros((20, 20), np.uint8), r"uint8 \[20, 20\], the model takes uint8"),
        (np.zeros((20, 20, 3)), r"float64 \[20, 20, 3\], .* convert it"),
        (np.zeros((0, 20, 3), np.uint8), r"uint8 \[0, 20, 3\]"),
    ],
)
def test_images_of_another_form_are_refused(pixelwise: Segmenter, image, message: str):
    with pytest.raises(DatasetError, match=message):
        pixelwise.predict(image)


def test_patches_of_another_size_are_refused(pixelwise: Segmenter):
    message = r"uint8 \[2, 9, 12, 3\], the model takes uint8 \[N, 8, 12, 3\] .* use predict"
    for answer in (pixelwise.logits, pixelwise.classes):
        with pytest.raises(DatasetError, match=message):
            answer(np.zeros((2, 9, 12, 3), np.uint8))


@pytest.mark.parametrize("overlap", [-0.1, 0.6, float("nan")])
def test_overlaps_out_of_range_are_refused(pixelwise: Segmenter, overlap: float):
    with pytest.raises(DatasetError, match=r"the overlap is .*; a fraction of 0…0\.5 was expected"):
        pixelwise.predict(draw(*SHAPE), overlap)


def test_a_mask_knows_its_classes_and_how_sure_it_is(pixelwise: Segmenter):
    """Of each pixel one channel is 3 above the others: sure by 1 / (1 + 2 / e³)."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10, :, 0], image[10:, :15, 1], image[10:, 15:, 2] = 3, 3, 3
    found = pixelwise.predict(image)
    assert found.exit_index == 0
    assert found.confidence == pytest.approx(1 / (1 + 2 * np.exp(-3)), abs=1e-6)
    assert found.pixels.tolist() == [300, 150, 150]
    assert found.to_json() == {
        "size": [20, 30],
        "classes": {
            "red": {"pixels": 300, "fraction": 0.5},
            "green": {"pixels": 150, "fraction": 0.25},
            "blue": {"pixels": 150, "fraction": 0.25},
        },
        "confidence": found.confidence,
        "exit_index": 0,
    }
    shown = PIL.Image.open(io.BytesIO(found.to_png()))
    np.testing.assert_array_equal(np.asarray(shown), found.mask)
    small = found.in_size((10, 15))
    np.testing.assert_array_equal(small.mask, found.mask[1::2, 1::2])
    assert small.confidence == found.confidence


def test_temperature_makes_masks_less_sure(make_segmentation_bundle):
    image = np.zeros((*SHAPE[:2], 3), np.uint8)
    image[..., 0] = 4
    softened = Segmenter.load(make_segmentation_bundle(temperatures=(2.0,))).predict(image)
    assert softened.confidence == pytest.approx(1 / (1 + 2 * np.exp(-2)), abs=1e-6)


def test_images_are_fitted_to_what_training_images_were(make_segmentation_bundle, pixelwise):
    grey = np.full((20, 30, 1), 7, np.uint8)
    assert pixelwise.read(grey).tolist() == np.full((20, 30, 3), 7).tolist()
    resizing = make_segmentation_bundle(parameters={"data": {"image_size": [40, 60]}})
    assert Segmenter.load(resizing).read(grey).shape == (40, 60, 3)


def test_a_bundle_of_another_task_is_refused(make_segmentation_bundle, make_bundle):
    with pytest.raises(BundleError, match=r"task is classification, Segmenter serves segmentation"):
        Segmenter.load(make_bundle())
    with pytest.raises(BundleError, match=r"Classifier serves classification; .*load_predictor"):
        Classifier.load(make_segmentation_bundle())


def test_one_opener_gives_the_right_one(make_segmentation_bundle, make_bundle):
    assert type(load_predictor(make_bundle())) is Classifier
    assert type(load_predictor(make_segmentation_bundle())) is Segmenter
    with pytest.raises(BundleError, match=r"thresholds given: 1; a model with 1 exits takes 0"):
        load_predictor(make_segmentation_bundle(), [0.5])
    with pytest.raises(BundleError, match=r"task is detection, this version of kdtasks serves cl"):
        load_predictor(make_segmentation_bundle(task="detection"))


def test_a_model_that_is_not_its_manifests_is_refused(make_segmentation_bundle, make_bundle):
    with pytest.raises(BundleError, match=r"\(8, 12, 3\)\), its manifest says .* \(8, 12, 2\)\)"):
        Segmenter.load(make_segmentation_bundle(class_names=("red", "green")))
    with pytest.raises(BundleError, match=r"\(1, \(8, 12, 3\), \(8, 12, 3\)\), .* \(3,\)"):
        Classifier.load(make_segmentation_bundle(task="classification"))
    with pytest.raises(BundleError, match=r"\(4,\)\), its manifest says .* \(6, 5, 4\)\)"):
        Segmenter.load(make_bundle(task="segmentation"))


def test_the_segmenter_is_an_attribute_of_the_package():
    assert kdtasks.edge.Segmenter is Segmenter
    assert kdtasks.edge.load_predictor is load_predictor


def test_numpy_and_litert_are_enough(make_segmentation_bundle):
    script = """if True:
        import sys
        import numpy as np
        from kdtasks.edge import load_predictor
        load_predictor(sys.argv[1]).predict(np.zeros((20, 30, 3), np.uint8))
        names = {name.split(".")[0] for name in sys.modules}
        print(sorted(names & {"tensorflow", "tf_keras", "pydantic", "PIL", "typer", "scipy"}))
        print(sorted(name for name in sys.modules if name.startswith("kdtasks.")))
    """
    finished = subprocess.run(
        [sys.executable, "-c", script, str(make_segmentation_bundle())],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, own = finished.stdout.splitlines()
    assert heavy == "[]"
    assert all(name.startswith(("kdtasks.core", "kdtasks.edge")) for name in eval(own))
