"""Tiles put together, on networks whose answers are known for pictures of any size."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import kdtasks.edge
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.edge.classifier import Model
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
    return Segmenter(make_segmentation_bundle())


@pytest.fixture(scope="session")
def averaging(make_segmentation_bundle) -> Segmenter:
    return Segmenter(make_segmentation_bundle("mean"))


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_pictures_of_the_models_size_are_answered_one_by_one(pixelwise: Segmenter):
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
    pixelwise: Segmenter, picture: np.ndarray, overlap: float
):
    found = pixelwise.predict(picture, overlap)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, picture.argmax(axis=-1))


def test_a_picture_of_the_models_size_is_one_tile(averaging: Segmenter):
    (image,) = images = draw(1, *SHAPE)
    np.testing.assert_array_equal(averaging.predict(image), averaging.classes(images)[0])


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (8, 13), (20, 31), (5, 7)])
def test_no_seams_show(averaging: Segmenter, size: tuple[int, int]):
    # Bright red: at a tile's edge the zeros beyond it darken the mean so far that blue would win.
    picture = np.zeros((*size, 3), np.uint8)
    picture[..., 0] = 200
    tile = np.zeros((1, *SHAPE), np.uint8)
    tile[..., 0] = 200
    assert averaging.classes(tile)[0, 0].tolist() == [2] * 12
    assert averaging.classes(tile)[0, 4].tolist() == [2, *[0] * 10, 2]
    found = averaging.predict(picture)
    # Where the picture is as narrow as a tile or narrower by a pixel, a tile's edge is its own.
    inner = found[1:-1] if size[0] == SHAPE[0] else found
    assert not inner.any()
    if max(size) > 13:
        assert averaging.predict(picture, overlap=0).any()


@settings(deadline=None, max_examples=30)
@given(st.integers(16, 40), st.integers(24, 60), st.integers(0, 40), st.integers(0, 40))
def test_answers_do_not_depend_on_how_far_the_picture_goes_on(
    averaging: Segmenter, height: int, width: int, more_rows: int, more_columns: int
):
    whole = draw(height + more_rows, width + more_columns, 3)
    part = averaging.predict(whole[:height, :width])
    rows, columns = height - 2 * SHAPE[0] + 1, width - 2 * SHAPE[1] + 1
    np.testing.assert_array_equal(averaging.predict(whole)[:rows, :columns], part[:rows, :columns])


def test_only_a_row_of_tiles_is_kept(pixelwise: Segmenter):
    picture = draw(3000, 40, 3)
    pixelwise.predict(picture[:50])
    tracemalloc.start()
    try:
        pixelwise.predict(picture)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The answer is 120 kB, the places of its rows 24 kB; all logits would be 1.4 MB.
    assert peak < 300_000


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((20, 20, 1), np.uint8), r"uint8 \[20, 20, 1\], .* \[height, width, 3\]"),
        (np.zeros((20, 20), np.uint8), r"uint8 \[20, 20\], the model takes uint8"),
        (np.zeros((20, 20, 3)), r"float64 \[20, 20, 3\], .* convert it"),
        (np.zeros((0, 20, 3), np.uint8), r"uint8 \[0, 20, 3\]"),
    ],
)
def test_pictures_of_another_form_are_refused(pixelwise: Segmenter, picture, message: str):
    with pytest.raises(DatasetError, match=message):
        pixelwise.predict(picture)


def test_patches_of_another_size_are_refused(pixelwise: Segmenter):
    message = r"uint8 \[2, 9, 12, 3\], the model takes uint8 \['N', 8, 12, 3\] .* use predict"
    for answer in (pixelwise.logits, pixelwise.classes):
        with pytest.raises(DatasetError, match=message):
            answer(np.zeros((2, 9, 12, 3), np.uint8))


@pytest.mark.parametrize("overlap", [-0.1, 0.6, float("nan")])
def test_overlaps_out_of_range_are_refused(pixelwise: Segmenter, overlap: float):
    with pytest.raises(DatasetError, match=r"the overlap is .*; a share of 0…0\.5 was expected"):
        pixelwise.predict(draw(*SHAPE), overlap)


def test_a_bundle_of_another_task_is_refused(make_segmentation_bundle, make_bundle):
    with pytest.raises(BundleError, match=r"task is classification; Segmenter serves .* use Model"):
        Segmenter(make_bundle())
    with pytest.raises(BundleError, match=r"task is segmentation; Model serves .* use Segmenter"):
        Model.load(make_segmentation_bundle())
    with pytest.raises(BundleError, match=r"task is detection; Model serves .* export again"):
        Model.load(make_segmentation_bundle(task="detection"))


def test_a_model_that_is_not_its_manifests_is_refused(make_segmentation_bundle, make_bundle):
    with pytest.raises(BundleError, match=r"\(8, 12, 3\)\), its manifest says .* \(8, 12, 2\)\)"):
        Segmenter(make_segmentation_bundle(class_names=("red", "green")))
    with pytest.raises(BundleError, match=r"\(1, \(8, 12, 3\), \(8, 12, 3\)\), .* \(3,\)"):
        Model.load(make_segmentation_bundle(task="classification"))
    with pytest.raises(BundleError, match=r"\(4,\)\), its manifest says .* \(6, 5, 4\)\)"):
        Segmenter(make_bundle(task="segmentation"))


def test_the_segmenter_is_an_attribute_of_the_package():
    assert kdtasks.edge.Segmenter is Segmenter


def test_numpy_and_litert_are_enough(make_segmentation_bundle):
    script = """if True:
        import sys
        import numpy as np
        from kdtasks.edge import Segmenter
        Segmenter(sys.argv[1]).predict(np.zeros((20, 30, 3), np.uint8))
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
    assert all(name.startswith("kdtasks.e") for name in eval(own))
