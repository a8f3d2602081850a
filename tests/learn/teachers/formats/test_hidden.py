"""Hidden features of imported teachers, by the names of their layers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdtasks.core.errors import TeacherError


def nested(library: Any) -> Any:
    """A body as a layer of a network, as transfer learning makes it, and a layer used twice."""
    layers = library.layers
    image = library.Input((8, 8, 3))
    body = library.Model(image, layers.Conv2D(5, 3, name="inside")(image), name="body")
    outer = library.Input((8, 8, 3))
    tensor = layers.Flatten(name="flat")(body(layers.Rescaling(2.0, name="twice_as_bright")(outer)))
    tensor = layers.Dense(6, name="narrow")(tensor)
    twice = layers.Dense(6, name="twice")
    return library.Model(outer, layers.Dense(4, name="head")(twice(twice(tensor))))


@pytest.mark.parametrize("library", ["tf_keras", "keras_3"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_features_come_with_the_logits_of_the_network(
    library: str,
    ending: str,
    kerases: dict[str, Any],
    save_network: Callable[[Any, Path], None],
    import_file: Callable[..., Path],
    images: np.ndarray,
    tmp_path: Path,
):
    from kdtasks.learn.teachers.teacher import open_teacher

    network = nested(kerases[library])
    save_network(network, tmp_path / f"nested.{ending}")
    folder = import_file(tmp_path / f"nested.{ending}", input="unit", output="logits")
    teacher = open_teacher(folder, batch_size=16, layers=["body", "twice", "narrow"])
    logits, body, twice, narrow = teacher.run(images)
    assert [array.shape for array in (body, twice, narrow)] == [(40, 6, 6, 5), (40, 6), (40, 6)]
    np.testing.assert_allclose(logits, open_teacher(folder).logits(images), rtol=1e-4, atol=1e-4)
    unit = images.astype(np.float32) / 255
    expected = np.asarray(network.get_layer("body")(2 * unit))
    np.testing.assert_allclose(body, expected, rtol=1e-4, atol=1e-4)
    expected = np.asarray(network.get_layer("narrow")(expected.reshape(40, -1)))
    np.testing.assert_allclose(narrow, expected, rtol=1e-4, atol=1e-4)
    # The first of its two uses.
    expected = np.asarray(network.get_layer("twice")(expected))
    np.testing.assert_allclose(twice, expected, rtol=1e-4, atol=1e-4)

    with pytest.raises(
        TeacherError, match=r"has no layer 'bodi'; its layers: .*body, flat.*'body'"
    ):
        open_teacher(folder, layers=["bodi"])


@pytest.mark.parametrize(
    ("kind", "called"),
    [("any_batch.tflite", "tflite"), ("tf_keras_saved_model", "saved_model")],
)
def test_files_without_layers_give_no_features(
    kind: str, called: str, teacher_file: Callable[..., Any], import_file: Callable[..., Path]
):
    from kdtasks.learn.teachers.teacher import open_teacher

    folder = import_file(teacher_file(kind).path, input="unit")
    message = (
        rf"targets\.features: the teacher .* is of the format {called}, which gives no hidden "
        r"features; import it as `\.keras` or `\.h5`, `\.hdf5` or a folder `models/teacher` of a "
        r"trained teacher, or set"
    )
    with pytest.raises(TeacherError, match=message):
        open_teacher(folder, layers=["conv2d"])
